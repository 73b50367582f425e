"""Reads records from a ring of a region, while its writer goes on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from answerback.shared.journal.layout import (
    BOUND,
    CAPACITY,
    COUNT,
    GENERATION,
    HEADER_BYTES,
    IN_PROGRESS,
    PAYLOAD_AT,
    RING_CELLS,
    SLOTS,
    SLOTS_AT,
    TAIL,
    State,
)
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring_shape import RingShape

# Rule: what was read counts only if the record is still live afterwards: until then nothing of it is overwritten.

EXCHANGES: Final = 0
EVENTS: Final = RING_CELLS


@dataclass(frozen=True, slots=True)
class Chunk:
    """The records that are kept of those with these sequence numbers, without those that were cleared."""

    records: list[Record]
    first: int
    end: int
    """The number behind the last."""


class Moving(Exception):
    """The rings are being moved, because their bounds have changed: try again in a moment."""


class RingReader:
    """Reads one ring of a region; `first` is EXCHANGES or EVENTS."""

    def __init__(self, region: memoryview, number: int, first: int = EXCHANGES) -> None:
        self._region = region
        self._number = number
        self._cells = region[:HEADER_BYTES].cast("Q")
        self._first = first

    def newest(self) -> int:
        """Return the newest sequence number; 0 if there was no record so far. Raises Moving."""
        return self._shape().newest(self._tail())

    def grown(self, after: int) -> bool:
        """Whether there are records behind this sequence number. Raises Moving."""
        return after + 1 < self._tail() or self._shape().has(after + 1)

    def read(self, after: int = 0) -> Iterator[list[Record]]:
        """Yield the live records behind a sequence number, in chunks, oldest first. Raises Moving."""
        return (chunk.records for chunk in self.chunks(after))

    def chunks(self, after: int = 0) -> Iterator[Chunk]:
        """Yield the same with their sequence numbers. Raises Moving."""
        shape = self._shape()
        first = max(after + 1, self._tail())
        last = shape.newest(first)
        while first <= last:
            read, end = shape.chunk(first, last)
            if shape.generation != self._cells[GENERATION]:
                raise Moving
            tail = self._tail()
            if first < tail:
                read = [each for each in read if each.sequence >= tail]
            start, first = max(first, tail), max(end, tail)
            yield Chunk(read, start, end)

    def at(self, sequence: int) -> list[Record]:
        """Return one record, or the requests of a RUN; empty if it is not kept. Raises Moving."""
        if sequence < self._tail():
            return []
        shape = self._shape()
        records = list(shape.records(sequence, {}))
        if shape.generation != self._cells[GENERATION]:
            raise Moving
        return records if sequence >= self._tail() else []

    def finished(self, sequences: Iterable[int]) -> list[int]:
        """Return which of these records are not in progress any more, or not kept. Raises Moving."""
        shape = self._shape()
        states, slots, tail = shape.states(), shape.slots, self._tail()
        found = [each for each in sequences if each < tail or states[each % slots] != IN_PROGRESS]
        if shape.generation != self._cells[GENERATION]:
            raise Moving
        return found

    def entries(self, last: int) -> int:
        """Return how many entries are kept up to this sequence number: quick if they are few. Raises Moving."""
        shape = self._shape()
        tail = self._tail()
        found = sum(shape.entries(sequence) for sequence in range(tail, last + 1))
        if shape.generation != self._cells[GENERATION]:
            raise Moving
        return found

    def counts(self) -> Mapping[int, int]:
        """Return how many entries are kept of each listener, by its block."""
        shape = self._shape()
        counts: dict[int, int] = {}
        tail = self._tail()
        for listener, state, number, sequence in COUNT.iter_unpack(shape.index()):
            if sequence >= tail and state != State.CLEARED:
                counts[listener] = counts.get(listener, 0) + number
        return counts

    def _tail(self) -> int:
        return int(self._cells[self._first + TAIL])

    def _shape(self) -> RingShape:
        generation = int(self._cells[GENERATION])
        header: Sequence[int] = self._cells[self._first : self._first + RING_CELLS].tolist()
        if generation % 2 or generation != self._cells[GENERATION]:
            raise Moving
        return RingShape(
            self._region,
            self._number,
            generation,
            header[SLOTS_AT],
            header[SLOTS],
            header[PAYLOAD_AT],
            header[CAPACITY],
            header[BOUND],
        )
