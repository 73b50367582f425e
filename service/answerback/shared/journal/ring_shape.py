"""Where a ring stands in its region, and what its slots say: without asking whether they are still live."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.shared.journal.layout import (
    COUNT,
    END_AT,
    FIXED,
    FIXED_AT,
    REST,
    REST_AT,
    REST_END,
    RUN_HEAD,
    RUN_REQUEST,
    SEQUENCE_CELL,
    SLOT_BYTES,
    STATE_AT,
    Kind,
    State,
)
from answerback.shared.journal.records import Record

# Rule: reading what is new costs what is new, however many slots there are: live sequence numbers have no gaps.

CLEARED: Final = int(State.CLEARED)  # numbers of an enum are slow to compare
RUN: Final = int(Kind.RUN)
END: Final = int(Kind.END)
AT_ONCE: Final = 16  # records read before it is checked whether they are still live: some tens of microseconds
AT_ONCE_BYTES: Final = 256 << 10  # of bodies, the same
AT_ONCE_SLOTS: Final = 256  # cleared ones among them


@dataclass(frozen=True, slots=True)
class _Run:
    """The shared payload of RUN records."""

    requests: Sequence[tuple[bytes, int]]
    """Bytes and size of each request."""
    rule: int
    reply: bytes
    reply_size: int
    note: bytes


@dataclass(frozen=True, slots=True)
class RingShape:
    """Where a ring stands in its region."""

    region: memoryview
    number: int
    generation: int
    slots_at: int
    slots: int
    payload_at: int
    capacity: int
    bound: int

    def index(self) -> memoryview:
        """Return the slots."""
        return self.region[self.slots_at : self.slots_at + self.slots * SLOT_BYTES]

    def has(self, sequence: int) -> bool:
        """Whether this record was written, and not overwritten."""
        if not self.slots:
            return False
        at = self.slots_at + sequence % self.slots * SLOT_BYTES + 8 * SEQUENCE_CELL
        return int.from_bytes(self.region[at : at + 8], "little") == sequence

    def states(self) -> memoryview:
        """Return the states in all slots."""
        return self.index()[FIXED_AT + STATE_AT :: SLOT_BYTES]

    def entries(self, sequence: int) -> int:
        """Return how many entries the slot of this record has."""
        at = self.slots_at + sequence % self.slots * SLOT_BYTES
        _, state, number, found = COUNT.unpack_from(self.region, at)
        return int(number) if found == sequence and state != CLEARED else 0

    def newest(self, first: int) -> int:
        """Return the newest sequence number; that before `first`, which is that of a live one, if there is none."""
        if not self.slots:
            return 0
        newest, step = first - 1, 1
        while self._written(newest + step):
            step *= 2
        newest, above = newest + step // 2, newest + step
        while above - newest > 1:
            middle = (newest + above) // 2
            newest, above = (middle, above) if self._written(middle) else (newest, middle)
        return newest

    def _written(self, sequence: int) -> bool:
        """Whether this record was ever written."""
        at = self.slots_at + sequence % self.slots * SLOT_BYTES + 8 * SEQUENCE_CELL
        return int.from_bytes(self.region[at : at + 8], "little") >= sequence

    def chunk(self, first: int, last: int) -> tuple[list[Record], int]:
        """Return some of the records with these numbers, and the first number that was not read."""
        runs: dict[int, _Run] = {}
        found: list[Record] = []
        size, sequence = 0, first
        last = min(last, first + AT_ONCE_SLOTS - 1)
        while sequence <= last and len(found) < AT_ONCE and size < AT_ONCE_BYTES:
            records = self.records(sequence, runs)
            if records and records[0].kind != RUN:
                size += len(records[0].request) + len(records[0].reply)
            found += records
            sequence += 1
        return found, sequence

    def records(self, sequence: int, runs: dict[int, _Run]) -> Sequence[Record]:
        """Return the record in the slot of this number, if it has that number. `runs`: payloads read before."""
        if not self.slots:
            return ()
        region, at = self.region, self.slots_at + FIXED_AT + sequence % self.slots * SLOT_BYTES
        connection, time, delayed, finished, state, kind, number, payload, count, rule, found = FIXED.unpack_from(
            region, at
        )
        if found != sequence or state == CLEARED:
            return ()
        if kind == RUN:
            run = runs.get(payload)
            if run is None:
                run = runs[payload] = self._run(payload)
            skipped = len(run.requests) - count  # of a run that is longer than the ring
            return [
                Record(
                    self.number, sequence, index, kind, connection, time, state, number + index, run.rule, request,
                    size, run.reply, run.reply_size, 0.0, finished, (), run.note,
                )
                for index, (request, size) in enumerate(run.requests[max(0, skipped) :])
            ]  # fmt: skip
        if kind == END:
            received, sent = REST_END.unpack_from(region, at + END_AT)
            return [
                Record(
                    self.number, sequence, 0, kind, connection, time, state, number, rule, b"", received, b"", sent,
                    delayed,
                )
            ]  # fmt: skip
        kept, size, reply_at, reply_size, reply_kept, many, *cells, note_at, note_size, upstream = REST.unpack_from(
            region, at + REST_AT
        )
        return [
            Record(
                self.number, sequence, 0, kind, connection, time, state, number, rule, self._bytes(payload, kept), size,
                self._bytes(reply_at, reply_kept), reply_size, delayed, finished,
                tuple(cells[: min(many, len(cells))]) if many else (),
                self._bytes(note_at, note_size) if note_size else b"", upstream,
            )
        ]  # fmt: skip

    def _bytes(self, position: int, size: int) -> bytes:
        if not size:
            return b""
        at = self.payload_at + position % self.capacity
        return bytes(self.region[at : at + size])

    def _run(self, position: int) -> _Run:
        count, rule, reply_kept, reply_size, note_size = RUN_HEAD.unpack(self._bytes(position, RUN_HEAD.size))
        position += RUN_HEAD.size
        if count * RUN_REQUEST.size > self.capacity:
            return _Run((), rule, b"", reply_size, b"")  # it is being overwritten: the record is not live any more
        sizes = list(RUN_REQUEST.iter_unpack(self._bytes(position, count * RUN_REQUEST.size)))
        position += count * RUN_REQUEST.size
        requests: list[tuple[bytes, int]] = []
        for kept, size in sizes:
            requests.append((self._bytes(position, kept), size))
            position += kept
        reply, note = self._bytes(position, reply_kept), self._bytes(position + reply_kept, note_size)
        return _Run(requests, rule, reply, reply_size, note)
