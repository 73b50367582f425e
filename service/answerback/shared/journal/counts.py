"""The journal's counts: for each listener, entries + dropped = requests."""

from collections.abc import Iterable, Mapping

from answerback.shared.counters import SharedCounters
from answerback.shared.journal.ring_reader import EXCHANGES, Moving, RingReader
from answerback.shared.listener_counters import JOURNAL_OFF, Dropped, count_dropped, unrecorded

# Rule: a request is counted before it is recorded, and removed before it is counted as dropped. So a reader that reads
#       the dropped count first, then the entries, then the requests, never sees more entries and dropped than requests.


def entries(counters: SharedCounters, region: int) -> Mapping[int, int]:
    """Return how many requests are in the journal of a region, by the listener's block; none while it is moved."""
    try:
        return RingReader(counters.journal.region(region), region, EXCHANGES).counts()
    except Moving:
        return {}


def count_unrecorded(counters: SharedCounters, blocks: Iterable[int], region: int, now: float) -> None:
    """The worker of this region is dead: count the requests that it did not record, or lost, as dropped."""
    cells, kept = counters.region(region), entries(counters, region)
    for block in blocks:
        number = unrecorded(cells, block, kept.get(block, 0))
        if number:
            reason = Dropped.DISABLED if cells[block + JOURNAL_OFF] else Dropped.WORKER_LOST
            count_dropped(cells, block, reason, number, now)
