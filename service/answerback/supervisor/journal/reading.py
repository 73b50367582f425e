"""All regions merged: in order of time, then worker, then the order in which the worker matched."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from operator import attrgetter
from typing import Final

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
                    if not count % LOOK_EVERY and self._turns.over:
                        await self._turns.next()
            except Moving:
                if attempt == MOVING_TRIES - 1:
                    raise
                await asyncio.sleep(MOVING_SECONDS)
            else:
                return

    def _merged(self, cursors: Cursors) -> Iterator[Record]:
        each = (_behind(reader, cursors.get(region, (0, LAST))) for region, reader in enumerate(self.readers))
        return merge(*each, key=attrgetter("position"))


LAST: Final = 1 << 40  # an index behind that of every record


def _behind(reader: RingReader, cursor: tuple[int, int]) -> Iterator[Record]:
    sequence, index = cursor
    after = sequence - 1 if index != LAST else sequence  # there may be more records with this sequence number
    records = chain.from_iterable(reader.read(max(0, after)))
    return (each for each in records if each.sequence != sequence or each.index > index)
