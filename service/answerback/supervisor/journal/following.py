"""Follows the journal: each record once when it is appended, and again when it is completed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from answerback.shared.counters import SharedCounters
from answerback.shared.journal.layout import State
from answerback.shared.journal.records import Moving, Record
from answerback.shared.listener_counters import JOURNAL_DROPPED, Dropped
from answerback.supervisor.journal.reading import MergedRings

# Rule: nothing is kept for a follower but its place, and the records that it waits for: a slow one costs nothing.

MAX_PENDING: Final = 1000  # records in progress that are looked at again


@dataclass(frozen=True, slots=True)
class Seen:
    """The exchanges and events since the last look."""

    appended: list[Record]
    completed: list[Record]
    """Records that were in progress when they were last seen."""
    lost: int
    """Entries that were dropped before they were seen."""


class Follower:
    """One follower of the exchanges (or of the events, which nothing counts)."""

    def __init__(
        self, counters: SharedCounters, rings: MergedRings, blocks: Callable[[], Mapping[str, int]] | None
    ) -> None:
        """Follow from now on. `blocks`: those of all listeners; None for events. Raises Moving."""
        self._counters = counters
        self._rings = rings
        self._blocks = blocks
        self._after = [reader.newest() for reader in rings.readers]
        self._expected = [self._ever(region) for region in range(len(self._after))]
        self._pending: dict[tuple[int, int], float] = {}
        self.missed_completions = False
        """Whether more records were in progress at once than are looked at again."""

    def look(self, most: int = 1000) -> Seen:
        """Return what is new, at most about `most` records; quick if nothing is."""
        appended: list[Record] = []
        lost = 0
        for region, reader in enumerate(self._rings.readers):
            try:
                if not reader.grown(self._after[region]):
                    continue
                for chunk in reader.read(self._after[region]):
                    lost += self._gap(region, chunk)
                    appended += chunk
                    if chunk:
                        self._after[region] = chunk[-1].sequence
                    if len(appended) >= most:
                        break
            except Moving:
                continue  # the next look sees it
        completed = list(self._completed())
        for record in appended:
            self.await_completion(record)
        appended.sort(key=lambda record: record.position)
        return Seen(appended, completed, lost)

    def await_completion(self, record: Record) -> None:
        """Look at this record again until it is complete, if it is in progress."""
        if record.state == State.IN_PROGRESS:
            if len(self._pending) >= MAX_PENDING:
                self.missed_completions = True
                return
            self._pending.setdefault((record.region, record.sequence), monotonic())

    def _gap(self, region: int, chunk: list[Record]) -> int:
        """Return how many entries were dropped between the last record seen and this chunk."""
        if self._blocks is None:
            return 0
        if not chunk or chunk[0].sequence == self._after[region] + 1:
            self._expected[region] += len(chunk)
            return 0
        live = sum(self._rings.readers[region].counts().values())
        last = chunk[-1]
        behind = sum(1 for records in self._rings.readers[region].read(last.sequence) for _ in records)
        # Everything that was ever recorded, without what is still behind this chunk, and without the chunk itself.
        ever = self._dropped(region) + live - behind
        lost = max(0, ever - len(chunk) - self._expected[region])
        self._expected[region] = ever
        return lost

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

    def _completed(self) -> Iterator[Record]:
        for region, sequence in list(self._pending):
            reader = self._rings.readers[region]
            try:
                if reader.in_progress(sequence):
                    continue
                records = reader.at(sequence)
            except Moving:
                continue
            if not records or records[0].state != State.IN_PROGRESS:
                del self._pending[region, sequence]
                yield from records

    def stale(self, seconds: float) -> Iterator[Record]:
        """Yield records that have been in progress for this long, each once."""
        now = monotonic()
        for place, since in list(self._pending.items()):
            if now - since >= seconds:
                self._pending[place] = float("inf")
                try:
                    yield from self._rings.readers[place[0]].at(place[1])
                except Moving:
                    self._pending[place] = since
