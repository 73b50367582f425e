"""The writer of a region: appends records, completes them in place, and drops the oldest ones.

A payload is at most an eighth of the payload area, and a record refers to a payload that is at most an eighth of the
area older than the record. So the oldest record is dropped when less than an eighth of the area is left between the
newest payload and the oldest record's, and no live record loses a payload that it shares with others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from answerback.shared.journal.layout import (
    BOUND,
    CAPACITY,
    COUNT,
    DROP,
    FINISH,
    FINISHED_AT,
    FIXED,
    HEADER_BYTES,
    NO_RULE,
    PAYLOAD_AT,
    PAYLOAD_HEAD,
    REST,
    REST_AT,
    RING_CELLS,
    SEQUENCE_CELL,
    SLOT_BYTES,
    SLOT_CELLS,
    SLOTS,
    SLOTS_AT,
    STATE_AT,
    TAIL,
    Kind,
    State,
)
from answerback.shared.listener_counters import Cells, Dropped

# Rule: one writer per region: the worker that counts there, or the supervisor when there is none.
# Rule: a record is removed first, then counted as dropped: readers never see it as both.

DROPPED_AT_ONCE: Final = 64  # a ring drops a 64th of its entries at a time

Drop = Callable[[int, Dropped, int, float], None]
"""Counts dropped entries: the listener's block, the reason, how many, and the time of the newest one."""


class Ring:
    """One of the two rings of a region. `first` is the first cell of its part of the header."""

    __slots__ = (
        "_count",
        "_eighth",
        "_first",
        "batch",
        "bound",
        "buffer",
        "capacity",
        "cells",
        "fresh",
        "head",
        "limit",
        "longest",
        "next",
        "payload_at",
        "room",
        "slots",
        "slots_at",
        "tail",
    )

    def __init__(self, region: memoryview, first: int, count: Drop) -> None:
        """Continue the ring that is in the region; it has no slots before `place`."""
        self.buffer = region
        self.cells: Cells = region[:HEADER_BYTES].cast("Q")
        self._first = first
        self._count = count
        header = self.cells[first : first + RING_CELLS].tolist()
        self.tail: int = header[TAIL] or 1
        self.head: int = header[PAYLOAD_HEAD]
        self._shape(header[SLOTS_AT], header[SLOTS], header[PAYLOAD_AT], header[CAPACITY], header[BOUND])
        self.next: int = max(self._sequences(), default=0) + 1 if self.slots else 1
        self.next = max(self.next, self.tail)
        self.room = self.bound - sum(number for _, number, _ in self._occupied())

    def _shape(self, slots_at: int, slots: int, payload_at: int, capacity: int, bound: int) -> None:
        self.slots_at, self.slots = slots_at, slots
        self.payload_at, self.capacity = payload_at, capacity
        self.bound = bound
        self.batch = max(1, bound // DROPPED_AT_ONCE)
        self._eighth = capacity // 8
        self.longest = self._eighth  # bytes of one payload
        self.fresh = max(0, self.head - self._eighth)  # older payloads may not be shared any more
        self.limit = self.fresh + 7 * self._eighth  # up to where payloads may be written before records must go

    def place(self, slots_at: int, slots: int, payload_at: int, capacity: int, bound: int) -> None:
        """Give an empty ring its place in the region."""
        self.tail = self.next
        self._shape(slots_at, slots, payload_at, capacity, bound)
        self.fresh = self.head  # what was written at the former place is not there any more
        self.limit = self.head + 6 * self._eighth
        self.room = bound
        first = self._first
        for cell, value in (
            (TAIL, self.tail),
            (SLOTS_AT, slots_at),
            (SLOTS, slots),
            (PAYLOAD_AT, payload_at),
            (CAPACITY, capacity),
            (BOUND, bound),
        ):
            self.cells[first + cell] = value

    def restart_at(self, sequence: int) -> None:
        """Let an empty ring continue with this sequence number, to put records back."""
        self.next = sequence
        self._drop_before(sequence)

    def at(self, sequence: int) -> int:
        """Return where the record stands in the region."""
        return self.slots_at + sequence % self.slots * SLOT_BYTES

    def store(self, *parts: bytes | bytearray | memoryview) -> int:
        """Write these bytes one behind the other; return their position. At most `longest` bytes."""
        head = self.head
        size = sum(map(len, parts))
        within = head % self.capacity
        if within + size > self.capacity:
            head += self.capacity - within
            within = 0
        end = head + size
        if end > self.limit:
            self._make_room(end)
        self.head = end
        self.cells[self._first + PAYLOAD_HEAD] = end  # before a byte is overwritten: a successor must not reuse them
        self.fresh = max(0, end - self._eighth)
        at = self.payload_at + within
        for part in parts:
            self.buffer[at : at + len(part)] = part
            at += len(part)
        return head

    def append(  # noqa: PLR0913 - the fields of a record
        self,
        connection: bytes,
        time: float,
        *,
        state: State,
        kind: Kind,
        number: int,
        payload: int,
        count: int = 1,
        rule: int = NO_RULE,
        delayed: float = 0.0,
        finished: float = 0.0,
        rest: tuple[int, ...] = (0,) * 12,
        sequence: int = 0,
    ) -> int:
        """Append a record whose payload is stored; return its sequence number, which is `sequence` if given."""
        if self.room < count:
            self.make_entries(count)
        sequence = sequence or self.next
        at = self.at(sequence)
        REST.pack_into(self.buffer, at + REST_AT, *rest)
        FIXED.pack_into(
            self.buffer, at, connection, time, delayed, finished, state, kind, number, payload, count, rule, sequence
        )
        self.next = sequence + 1
        self.room -= count
        return sequence

    def complete(self, sequence: int, time: float, state: State) -> None:
        """Set when a record was completed, unless it was dropped."""
        if sequence >= self.tail:
            at = self.at(sequence)
            if self.buffer[at + STATE_AT] != State.CLEARED:
                FINISH.pack_into(self.buffer, at + FINISHED_AT, time, state)

    def live(self) -> Iterable[tuple[int, int]]:
        """Yield listener and number of requests of each live record, in the order of their slots."""
        return ((listener, number) for listener, number, state in self._occupied() if state != State.CLEARED)

    def _occupied(self) -> Iterator[tuple[int, int, int]]:
        """Yield listener, number of requests and state of each record that has a slot."""
        slots = self.buffer[self.slots_at : self.slots_at + self.slots * SLOT_BYTES]
        for listener, state, number, sequence in COUNT.iter_unpack(slots):
            if sequence >= self.tail:
                yield listener, number, state

    def clear(self, listener: int | None, now: float) -> int:
        """Remove all records, or those of the listener with this block; return how many entries that were."""
        counts: dict[int, int] = {}
        if listener is None:
            for block, number in self.live():
                counts[block] = counts.get(block, 0) + number
            self._drop_before(self.next)
            self.room = self.bound
        else:
            for sequence in range(self.tail, self.next):
                at = self.at(sequence)
                block, _, state, _, number = DROP.unpack_from(self.buffer, at)
                if block == listener and state != State.CLEARED:
                    self.buffer[at + STATE_AT] = State.CLEARED
                    counts[block] = counts.get(block, 0) + number
        for block, number in counts.items():
            self._count(block, Dropped.CLEARED, number, now)
        return sum(counts.values())

    def _sequences(self) -> Sequence[int]:
        cells = self.buffer[self.slots_at : self.slots_at + self.slots * SLOT_BYTES].cast("Q")
        return cells[SEQUENCE_CELL::SLOT_CELLS].tolist()

    def _sequence(self, at: int) -> int:
        return int.from_bytes(self.buffer[at + 8 * SEQUENCE_CELL : at + 8 * SEQUENCE_CELL + 8], "little")

    def _make_room(self, end: int) -> None:
        """Drop records until payloads up to `end` overwrite none of the others."""
        if self.tail < self.next:
            self._drop(0, end + self.capacity // DROPPED_AT_ONCE - 7 * self._eighth)
        oldest = self._payload(self.tail) if self.tail < self.next else end - self._eighth
        self.limit = max(end, oldest + 7 * self._eighth)

    def make_entries(self, count: int) -> None:
        """Drop records until there is room for this many entries; one record may always be appended."""
        self._drop(max(count, self.batch), 0)

    def _payload(self, sequence: int) -> int:
        return int(DROP.unpack_from(self.buffer, self.at(sequence))[3])

    def _drop(self, room: int, oldest_payload: int) -> None:
        """Drop the oldest records until there is this much room, and no record's payload is older than this."""
        counts: dict[int, tuple[int, float]] = {}
        buffer, slots_at, slots = self.buffer, self.slots_at, self.slots
        sequence, end, left = self.tail, self.next, self.room
        while sequence < end:
            listener, time, state, payload, number = DROP.unpack_from(buffer, slots_at + sequence % slots * SLOT_BYTES)
            if left >= room and payload >= oldest_payload:
                break
            left += number
            if number and state != State.CLEARED:
                counts[listener] = counts[listener][0] + number if listener in counts else number, time
            sequence += 1
        self._drop_before(sequence)
        self.room = left
        for listener, (number, time) in counts.items():
            self._count(listener, Dropped.EVICTED, number, time)

    def _drop_before(self, sequence: int) -> None:
        self.tail = sequence
        self.cells[self._first + TAIL] = sequence
