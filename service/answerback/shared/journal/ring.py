"""The writer of a region: appends records, completes them in place, and drops the oldest ones.

A payload is at most an eighth of the payload area, and a record refers to a payload that is at most an eighth of the
area older than the record. So the oldest record is dropped when less than an eighth of the area is left between the
newest payload and the oldest record's, and no live record loses a payload that it shares with others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from struct import Struct
from typing import Final

from answerback.shared.journal.layout import (
    BOUND,
    CAPACITY,
    COUNT,
    DROP,
    END_AT,
    ENTRIES_WORD,
    FINISH,
    FINISHED_AT,
    FIXED,
    FIXED_AT,
    HEADER_BYTES,
    LISTENER_WORD,
    NO_RULE,
    PAYLOAD_AT,
    PAYLOAD_HEAD,
    REST,
    REST_AT,
    REST_END,
    RING_CELLS,
    SEQUENCE_CELL,
    SLOT_BYTES,
    SLOT_CELLS,
    SLOT_WORDS,
    SLOTS,
    SLOTS_AT,
    STATE_AT,
    STATE_WORD,
    TAIL,
    WORD,
    Kind,
    State,
)
from answerback.shared.listener_counters import Cells, Dropped

# Rule: one writer per region: the worker that counts there, or the supervisor when there is none.
# Rule: a record is removed first, then counted as dropped: readers never see it as both.

CLEARED: Final = int(State.CLEARED)  # numbers of an enum are slow to compare
WORD_OF: Final = Struct("=I").pack
CLEARED_WORD: Final = WORD_OF(CLEARED)  # stands in the states of records only where a state begins: each is below 256
NO_LISTENER: Final = -1
NOTHING_MORE: Final = (0,) * 13  # the rest of a record without bodies
DROPPED_AT_ONCE: Final = 64  # a ring drops a 64th of its entries at a time

Drop = Callable[[int, Dropped, int, float], None]
"""Counts dropped entries: the listener's block, the reason, how many, and the time of the newest one."""


class Ring:
    """One of the two rings of a region. `first` is the first cell of its part of the header."""

    __slots__ = (
        "_count",
        "_eighth",
        "_first",
        "_floor",
        "_words",
        "batch",
        "bound",
        "buffer",
        "capacity",
        "cells",
        "final",
        "fresh",
        "head",
        "limit",
        "longest",
        "newest",
        "next",
        "payload_at",
        "records_at",
        "room",
        "slots",
        "slots_at",
        "tail",
    )

    def __init__(self, region: memoryview, first: int, count: Drop | None) -> None:
        """Continue the ring that is in the region; it has no slots before `place`.

        `count`: None if nothing is counted, and each record is one entry.
        """
        self.buffer = region
        self.cells: Cells = region[:HEADER_BYTES].cast("Q")
        self._words = region.cast("I")
        self._first = first
        self._count = count
        self._floor = 0  # what was written before this position is at a former place of the ring
        header = self.cells[first : first + RING_CELLS].tolist()
        self.tail: int = header[TAIL] or 1
        self.head: int = header[PAYLOAD_HEAD]
        self._shape(header[SLOTS_AT], header[SLOTS], header[PAYLOAD_AT], header[CAPACITY], header[BOUND])
        self.next: int = max(self._sequences(), default=0) + 1 if self.slots else 1
        self.next = max(self.next, self.tail)
        self._settle()
        self.room = self.bound - sum(number for _, number, _ in self._occupied())

    def _shape(self, slots_at: int, slots: int, payload_at: int, capacity: int, bound: int) -> None:
        self.slots_at, self.slots = slots_at, slots
        self.records_at = slots_at + FIXED_AT  # the fixed part of the first slot
        self.payload_at, self.capacity = payload_at, capacity
        self.bound = bound
        self.batch = max(1, bound // DROPPED_AT_ONCE)
        self._eighth = capacity // 8
        self.longest = self._eighth  # bytes of one payload
        self.fresh = max(0, self.head - self._eighth)  # older payloads may not be shared any more
        self.limit = self.fresh + 7 * self._eighth  # up to where payloads may be written before records must go

    def _settle(self) -> None:
        """Learn where the slots are."""
        self.final = self.records_at + (self.slots - 1) * SLOT_BYTES
        """Where the record in the last slot stands."""
        self.newest = self.at(self.next - 1) if self.slots else 0
        """Where the newest record stands. The next one stands behind it, or after the last slot in the first: to add
        and to compare takes less time than to find the place of a sequence number."""

    def place(self, slots_at: int, slots: int, payload_at: int, capacity: int, bound: int) -> None:
        """Give an empty ring its place in the region."""
        self.tail = self.next
        self._shape(slots_at, slots, payload_at, capacity, bound)
        self._settle()
        self.fresh = self._floor = self.head
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
        return self.records_at + sequence % self.slots * SLOT_BYTES

    def store(self, payload: bytes | bytearray | memoryview) -> int:
        """Write these bytes; return their position. At most `longest` bytes."""
        head, size = self.head, len(payload)
        within = head % self.capacity
        if within + size > self.capacity:
            head += self.capacity - within
            within = 0
        end = head + size
        if end > self.limit:
            self._make_room(end)
        self.head = end
        self.cells[self._first + PAYLOAD_HEAD] = end  # before a byte is overwritten: a successor must not reuse them
        self.fresh = max(self._floor, end - self._eighth)
        at = self.payload_at + within
        self.buffer[at : at + size] = payload
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
        rest: tuple[float, ...] = NOTHING_MORE,
        sequence: int = 0,
    ) -> int:
        """Append a record whose payload is stored; return its sequence number, which is `sequence` if given."""
        if self.room < count:
            self.make_entries(count)
        sequence = sequence or self.next
        self.newest = at = self.at(sequence)
        if kind == Kind.END:
            REST_END.pack_into(self.buffer, at + END_AT, *rest[:2])
        else:
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
                block, _, state, _, number = DROP.unpack_from(self.buffer, at - FIXED_AT)
                if block == listener and state != State.CLEARED:
                    self.buffer[at + STATE_AT] = State.CLEARED
                    counts[block] = counts.get(block, 0) + number
        if self._count is not None:
            for block, number in counts.items():
                self._count(block, Dropped.CLEARED, number, now)
        return sum(counts.values())

    def _sequences(self) -> Sequence[int]:
        cells = self.buffer[self.slots_at : self.slots_at + self.slots * SLOT_BYTES].cast("Q")
        return cells[SEQUENCE_CELL::SLOT_CELLS].tolist()

    def _make_room(self, end: int) -> None:
        """Drop records until payloads up to `end` overwrite none of the others."""
        if self.tail < self.next:
            self._drop(0, end + self.capacity // DROPPED_AT_ONCE - 7 * self._eighth)
        oldest = self._payload(self.tail) if self.tail < self.next else end - self._eighth
        self.limit = max(end, oldest + 7 * self._eighth)

    def make_entries(self, count: int) -> None:
        """Drop records until there is room for this many entries; one record may always be appended."""
        room = max(count, self.batch)
        if self._count is None:
            dropped = min(room - self.room, self.next - self.tail)
            self._drop_before(self.tail + dropped)
            self.room += dropped
        elif not self._drop_alike(room):
            self._drop(room, 0)

    def _payload(self, sequence: int) -> int:
        return int(DROP.unpack_from(self.buffer, self.at(sequence) - FIXED_AT)[3])

    def _drop_alike(self, room: int) -> bool:
        """Drop the oldest records until there is this much room, if they are of one listener and of as many entries.

        Most are: to compare their fields all at once takes less than half the time of reading each.
        """
        tail = self.tail
        if tail == self.next or self._count is None:
            return False
        listener, _, _, _, entries = DROP.unpack_from(self.buffer, self.at(tail) - FIXED_AT)
        number = -((self.room - room) // entries)
        begin = tail % self.slots
        if number > min(self.next - tail, self.slots - begin):
            return False
        words = self._words[(self.slots_at + begin * SLOT_BYTES) // WORD :][: number * SLOT_WORDS]
        for word, value in ((LISTENER_WORD, listener), (ENTRIES_WORD, entries)):
            if words[word::SLOT_WORDS].tobytes() != WORD_OF(value) * number:
                return False
        if CLEARED_WORD in words[STATE_WORD::SLOT_WORDS].tobytes():
            return False
        _, newest, *_ = DROP.unpack_from(self.buffer, self.at(tail + number - 1) - FIXED_AT)
        self._drop_before(tail + number)
        self.room += number * entries
        self._count(listener, Dropped.EVICTED, number * entries, newest)
        return True

    def _drop(self, room: int, oldest_payload: int) -> None:
        """Drop the oldest records until there is this much room, and no record's payload is older than this."""
        counts: dict[int, tuple[int, float]] = {}  # of each listener: its entries, and the time of the newest
        left, number, newest = self.room, 0, 0.0
        sequence, former = self.tail, NO_LISTENER
        for listener, time, state, payload, entries in self._oldest():
            if left >= room and payload >= oldest_payload:
                break
            left += entries
            sequence += 1
            if state == CLEARED:
                continue
            if listener != former:  # rarely: what is inline here runs for each record that drops another
                counts[former] = counts.get(former, (0, 0.0))[0] + number, newest
                former, number = listener, 0
            number += entries
            newest = time
        counts[former] = counts.get(former, (0, 0.0))[0] + number, newest
        self._drop_before(sequence)
        self.room = left
        for listener, (number, newest) in counts.items():
            if number and self._count is not None:
                self._count(listener, Dropped.EVICTED, number, newest)

    def _oldest(self) -> Iterator[tuple[int, float, int, int, int]]:
        """Return what is read to drop a record, of all records, the oldest first."""
        begin, number = self.tail % self.slots, self.next - self.tail
        at_end = min(number, self.slots - begin)
        parts = ((begin, at_end), (0, number - at_end))
        return chain.from_iterable(
            DROP.iter_unpack(self.buffer[self.slots_at + first * SLOT_BYTES :][: length * SLOT_BYTES])
            for first, length in parts
        )

    def _drop_before(self, sequence: int) -> None:
        self.tail = sequence
        self.cells[self._first + TAIL] = sequence
