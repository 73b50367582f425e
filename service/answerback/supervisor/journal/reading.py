"""All regions merged: in order of time, then worker, then the order in which the worker matched."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import accumulate
from operator import attrgetter
from typing import Final

from answerback.concurrency.scheduling import Core
from answerback.concurrency.turns import LOOK_EVERY, Turns
from answerback.shared.counters import SharedCounters
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring_reader import EXCHANGES, Moving, RingReader

MOVING_SECONDS: Final = 0.005  # seconds to wait while a worker moves its rings
MOVING_TRIES: Final = 200

Cursors = Mapping[int, tuple[int, int]]
"""By region: sequence number and index of the last record that was read."""


class MergedRings:
    """Reads one kind of ring in every region."""

    def __init__(self, counters: SharedCounters, turns: Turns, first: int = EXCHANGES) -> None:
        self._turns = turns
        self.readers: Sequence[RingReader] = [
            RingReader(counters.journal.region(region), region, first) for region in range(counters.slots)
        ]

    async def records(self, cursors: Cursors | None = None) -> AsyncIterator[Record]:
        """Yield the records behind the cursors. The caller works in the turn of this, and must not wait in between.

        If a worker is moving its rings, this waits. Raises Moving if that takes a second.
        """
        done = dict(cursors or {})
        for attempt in range(MOVING_TRIES):
            try:
                await self._turns.next()
                for count, record in enumerate(self._merged(done), 1):
                    yield record
                    done[record.region] = record.sequence, record.index
                    if not count % LOOK_EVERY and self._turns.over():
                        await self._turns.next()
            except Moving:
                if attempt == MOVING_TRIES - 1:
                    raise
                await asyncio.sleep(MOVING_SECONDS)
            else:
                return

    def _merged(self, cursors: Cursors) -> Iterator[Record]:
        rings = [_Ring(_behind(reader, cursors.get(region, (0, LAST)))) for region, reader in enumerate(self.readers)]
        while True:
            rings = [ring for ring in rings if ring.times or ring.read(self._turns.core)]
            if not rings:
                return
            # What has not been read yet is later than the end of what has been read of this ring, or as late.
            first = min(range(len(rings)), key=lambda index: rings[index].times[-1])
            until = rings[first].times[-1]
            times, records = list[float](), list[Record]()
            for index, ring in enumerate(rings):
                ring.take((bisect_right if index <= first else bisect_left)(ring.times, until), times, records)
            yield from map(records.__getitem__, sorted(range(len(times)), key=times.__getitem__))


class _Ring:
    """What was read from one ring, and not yielded so far."""

    __slots__ = ("_chunks", "_records", "times")

    def __init__(self, chunks: Iterator[list[Record]]) -> None:
        self._chunks = chunks
        self._records: list[Record] = []
        self.times: list[float] = []
        """Of these records; that of an earlier one, if that was later: records keep the order of their ring."""

    def read(self, core: Core) -> bool:
        """Read more, as there is nothing left; False if there is no more."""
        core.offer()
        self._records = next(filter(None, self._chunks), [])
        self.times = list(accumulate(map(attrgetter("time"), self._records), max))
        return bool(self._records)

    def take(self, number: int, times: list[float], records: list[Record]) -> None:
        """Append the first records, and their times, to these lists."""
        times += self.times[:number]
        records += self._records[:number]
        del self.times[:number], self._records[:number]


LAST: Final = 1 << 40  # an index behind that of every record


def _behind(reader: RingReader, cursor: tuple[int, int]) -> Iterator[list[Record]]:
    """Yield the records behind a cursor, in chunks, of which some may be empty."""
    sequence, index = cursor
    after = sequence - 1 if index != LAST else sequence  # there may be more records with this sequence number
    for records in reader.read(max(0, after)):
        if records and records[0].sequence == sequence:
            yield [each for each in records if each.sequence != sequence or each.index > index]
        else:
            yield records
