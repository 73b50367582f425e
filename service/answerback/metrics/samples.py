"""The types of metric families and samples, and functions that read samples."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from answerback.metrics.snapshot import Runtime, Snapshot, WorkerRuntime
from answerback.shared import listener_counters
from answerback.shared.listener_counters import JOURNAL_DROPPED, Dropped


class Kind(Enum):
    """The metric types, as Prometheus names them."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Sample:
    """One series: the values of the family's labels, in order, and its value."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """One series of a histogram: the number of values in each bucket, and their sum.

    A value is counted in one bucket only, the first whose bound it does not exceed; the last count is of the values
    above every bound. The exposition adds them up, as its buckets are cumulative.
    """

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Family:
    """One family; a counter's name ends in `_total`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    read: Callable[[Snapshot], Iterable[Sample | Distribution]]


def per_listener(place: int, scale: float = 1) -> Callable[[Snapshot], Iterator[Sample]]:
    """Read one cell of every listener's block."""

    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        for name, block in snapshot.listeners.items():
            yield Sample((name,), block[place] * scale if scale != 1 else block[place])

    return samples


def per_listener_and(first: int, names: Sequence[str]) -> Callable[[Snapshot], Iterator[Sample]]:
    """Read consecutive cells of every listener's block, one for each value of the second label."""

    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        for listener, block in snapshot.listeners.items():
            for place, name in enumerate(names, start=first):
                yield Sample((listener, name), block[place])

    return samples


def durations(snapshot: Snapshot) -> Iterator[Distribution]:
    """Read the histogram in every listener's block."""
    return _histogram(snapshot, listener_counters.DURATION, listener_counters.DURATION_NANOSECONDS)


def connect_durations(snapshot: Snapshot) -> Iterator[Distribution]:
    """Read the histogram of connecting, of listeners that have or had an upstream."""
    return _histogram(_relaying(snapshot), listener_counters.UPSTREAM_DURATION, listener_counters.UPSTREAM_NANOSECONDS)


def _histogram(snapshot: Snapshot, first: int, nanoseconds: int) -> Iterator[Distribution]:
    for name, block in snapshot.listeners.items():
        counts = block[first : first + len(listener_counters.DURATION_BOUNDS) + 1]
        yield Distribution((name,), tuple(counts), block[nanoseconds] / 1e9)


def of_relays(read: Callable[[Snapshot], Iterator[Sample]]) -> Callable[[Snapshot], Iterator[Sample]]:
    """Read this of listeners that have or had an upstream alone: the others have no such series."""
    return lambda snapshot: read(_relaying(snapshot))


def _relaying(snapshot: Snapshot) -> Snapshot:
    relays = {name: block for name, block in snapshot.listeners.items() if block[listener_counters.RELAYS]}
    return replace(snapshot, listeners=relays)


def matches(snapshot: Snapshot) -> Iterator[Sample]:
    """Read the cells of rules."""
    return (Sample(key, count) for key, count in snapshot.rules.items())


def unexpected_frames(snapshot: Snapshot) -> Iterator[Sample]:
    """Read the cells of frames that rules did not expect."""
    return (Sample(key, count) for key, count in snapshot.unexpected_frames.items())


def entries(snapshot: Snapshot) -> Iterator[Sample]:
    """Read how many requests are in the journal."""
    return (Sample((name,), count) for name, count in snapshot.journal.items())


def dropped(snapshot: Snapshot) -> Iterator[Sample]:
    """Read how many requests are not in the journal, by reason."""
    for listener, block in snapshot.listeners.items():
        for reason in Dropped:
            unrecorded = snapshot.journal_disabled.get(listener, 0) if reason is Dropped.DISABLED else 0
            yield Sample((listener, reason.label), block[JOURNAL_DROPPED + reason] + unrecorded)


def faults_applied(snapshot: Snapshot) -> Iterator[Sample]:
    """Read the cells of faults."""
    return (Sample(key, count) for key, count in snapshot.faults.items())


def runtime_value(value: Callable[[Runtime], float]) -> Callable[[Snapshot], Iterator[Sample]]:
    """Read one series without labels."""
    return lambda snapshot: iter((Sample((), value(snapshot.runtime)),))


def each_worker(value: Callable[[WorkerRuntime], float]) -> Callable[[Snapshot], Iterator[Sample]]:
    """Read one series per slot."""
    return lambda snapshot: (Sample((str(worker.index),), value(worker)) for worker in snapshot.runtime.workers)


def build(snapshot: Snapshot) -> Iterator[Sample]:
    """The build info, whose value is always 1."""
    yield Sample((snapshot.runtime.version,), 1)
