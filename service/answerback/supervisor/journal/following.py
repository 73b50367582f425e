"""Follows the journal: each record once when it is appended, and again when it is completed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

from answerback.shared.counters import SharedCounters
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring_reader import Chunk, Moving
from answerback.shared.listener_counters import JOURNAL_DROPPED, Dropped
from answerback.supervisor.journal.reading import MergedRings

# Rule: nothing is kept for a follower but its place, and what one look has read: a slow one costs next to nothing.

LOOK_RECORDS: Final = 256  # read by one look, and some more
LOOK_BYTES: Final = 256 << 10  # of their bodies
COUNT_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """The exchanges, or events, since the last look."""

    appended: list[Record]
    lost: int
    """Entries that were dropped before they were seen."""
    more: bool
    """Whether there may be more already."""


@dataclass(slots=True)
class _Look:
    """What one look has read so far."""

    appended: list[Record]
    lost: int = 0
    bytes: int = 0

    def add(self, records: list[Record]) -> None:
        self.appended += records
        self.bytes += sum(len(record.request) + len(record.reply) for record in records)

    @property
    def full(self) -> bool:
        """Whether no more may be read."""
        return len(self.appended) >= LOOK_RECORDS or self.bytes >= LOOK_BYTES


class Follower:
    """One follower of the exchanges (or of the events, which nothing counts)."""

    def __init__(
        self, counters: SharedCounters, rings: MergedRings, blocks: Callable[[], Mapping[str, int]] | None
    ) -> None:
        """Follow from now on. `blocks`: those of all listeners; None to count nothing. Raises Moving."""
        self._counters = counters
        self._rings = rings
        self._blocks = blocks
        self._after = [reader.newest() for reader in rings.readers]
        self._expected = [self._ever(region) for region in range(len(self._after))]
        self._next = 0  # the region whose turn it is

    def look(self) -> Seen:
        """Return what is new, at most about LOOK_RECORDS records; quick if nothing is."""
        look = _Look([])
        regions = len(self._after)
        for region in (*range(self._next, regions), *range(self._next)):
            with suppress(Moving):  # the next look sees it
                for chunk in self._chunks(region):
                    look.lost += self._gap(region, chunk)
                    look.add(chunk.records)
                    self._after[region] = chunk.end - 1
                    if look.full:
                        break
            if look.full:
                self._next = (region + 1) % regions  # the others have their turn before it
                break
        look.appended.sort(key=lambda record: record.position)
        return Seen(look.appended, look.lost, more=look.full)

    def _chunks(self, region: int) -> Iterator[Chunk]:
        reader, after = self._rings.readers[region], self._after[region]
        return reader.chunks(after) if reader.grown(after) else iter(())

    def _gap(self, region: int, chunk: Chunk) -> int:
        """Return how many entries were dropped between the last record seen and this chunk. Raises Moving."""
        if self._blocks is None:
            return 0
        if chunk.first == self._after[region] + 1:
            self._expected[region] += len(chunk.records)
            return 0
        ever = self._ever_before(region, chunk.end)
        lost = max(0, ever - len(chunk.records) - self._expected[region])
        self._expected[region] = ever
        return lost

    def _ever_before(self, region: int, end: int) -> int:
        """Return how many entries were ever recorded before a record that is among the oldest. Raises Moving."""
        reader, dropped, kept = self._rings.readers[region], -1, 0
        for _ in range(COUNT_TRIES):
            before, dropped = dropped, self._dropped(region)
            if before == dropped:
                break  # none of those that are counted as kept was counted as dropped too
            kept = reader.entries(end - 1)
        return dropped + kept

    def _ever(self, region: int) -> int:
        """Return how many entries were ever recorded in a region."""
        if self._blocks is None:
            return 0
        return self._dropped(region) + sum(self._rings.readers[region].counts().values())

    def _dropped(self, region: int) -> int:
        assert self._blocks is not None
        cells = self._counters.region(region)
        reasons = (JOURNAL_DROPPED + Dropped.EVICTED, JOURNAL_DROPPED + Dropped.CLEARED)
        return sum(cells[block + reason] for block in self._blocks().values() for reason in reasons)


class LaterEvents:
    """Events of a follower, shown after the exchanges that were complete before them."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._held: list[Record] = []
        self._read = 0.0
        self.more = False
        """Whether there may be more already."""

    def look(self) -> None:
        """Read what is new, unless there is something to be shown."""
        if not self._held:
            seen = self._follower.look()
            self._held, self._read, self.more = seen.appended, monotonic(), seen.more

    def after(self, looked: float) -> list[Record]:
        """Return what was read, if all exchanges that were complete at the time `looked` have been shown."""
        if looked < self._read:
            return []
        shown, self._held = self._held, []
        return shown
