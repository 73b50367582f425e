"""The exchanges that the journal has dropped, without which the remaining ones prove less."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from answerback.shared.counters import SharedCounters
from answerback.shared.journal.ring_reader import Moving, RingReader
from answerback.shared.listener_counters import JOURNAL_DROPPED, JOURNAL_DROPPED_AT, JOURNAL_OFF, Dropped, unrecorded


@dataclass(frozen=True, slots=True)
class Missing:
    """The exchanges of a listener that a worker has dropped for one reason."""

    worker: int
    listener: str
    reason: Dropped
    exchanges: int
    newest: float
    """Time of the newest, in seconds of the monotonic clock; 0 if it is not known."""

    def __str__(self) -> str:
        """`worker 0 has dropped 12 exchanges of listener smtp (evicted)`."""
        number = f"{self.exchanges} exchange{'s' * (self.exchanges != 1)}"
        return f"worker {self.worker} has dropped {number} of listener {self.listener} ({self.reason.label})"


def missing(
    counters: SharedCounters, readers: Iterable[RingReader], blocks: Mapping[str, int], since: float
) -> Iterator[Missing]:
    """Yield what was dropped of these listeners with a time at or after `since`."""
    for region, reader in enumerate(readers):
        cells = counters.region(region)
        kept: Mapping[int, int] | None = None
        for listener, block in blocks.items():
            for reason in Dropped:
                number = int(cells[block + JOURNAL_DROPPED + reason])
                newest = cells[block + JOURNAL_DROPPED_AT + reason] / 1e9
                if number and newest >= since:
                    yield Missing(region, listener, reason, number, newest)
            if cells[block + JOURNAL_OFF]:
                kept = _entries(reader) if kept is None else kept  # once for all listeners
                number = unrecorded(cells, block, kept.get(block, 0))
                if number > 0:
                    yield Missing(region, listener, Dropped.DISABLED, number, 0.0)


def _entries(reader: RingReader) -> Mapping[int, int]:
    try:
        return reader.counts()
    except Moving:
        return {}


class Outcome(Enum):
    """Whether an expectation holds."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Expected:
    """The number of exchanges that there must be."""

    least: int = 1
    most: int | None = None

    def judge(self, found: int, *, complete: bool) -> Outcome:
        """Return the outcome; `complete`: nothing that might match was dropped."""
        if self.most is not None and found > self.most:
            return Outcome.FAILS  # more would not make it hold
        if self.most is None and found >= self.least:
            return Outcome.HOLDS
        if not complete:
            return Outcome.UNKNOWN
        return Outcome.HOLDS if found >= self.least else Outcome.FAILS

    def __str__(self) -> str:
        """`at least 1`."""
        if self.most is None:
            return f"at least {self.least}"
        if self.most == self.least:
            return f"exactly {self.least}" if self.least else "none"
        return f"at most {self.most}"
