"""The types of metric families and samples, and functions that read samples."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from answerback.metrics.snapshot import Facts, Reading, WorkerFacts
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
    read: Callable[[Reading], Iterable[Sample | Distribution]]


def cell(place: int, scale: float = 1) -> Callable[[Reading], Iterator[Sample]]:
    """Read one cell of every listener's block."""

    def samples(reading: Reading) -> Iterator[Sample]:
        for name, block in reading.listeners.items():
            yield Sample((name,), block[place] * scale if scale != 1 else block[place])

    return samples


def row(first: int, names: Sequence[str]) -> Callable[[Reading], Iterator[Sample]]:
    """Read consecutive cells of every listener's block, one for each value of the second label."""

    def samples(reading: Reading) -> Iterator[Sample]:
        for listener, block in reading.listeners.items():
            for place, name in enumerate(names, start=first):
                yield Sample((listener, name), block[place])

    return samples


def durations(reading: Reading) -> Iterator[Distribution]:
    """Read the histogram in every listener's block."""
    for name, block in reading.listeners.items():
        counts = block[
            listener_counters.DURATION : listener_counters.DURATION + len(listener_counters.DURATION_BOUNDS) + 1
        ]
        yield Distribution((name,), tuple(counts), block[listener_counters.DURATION_NANOSECONDS] / 1e9)


def matches(reading: Reading) -> Iterator[Sample]:
    """Read the cells of rules."""
    return (Sample(key, count) for key, count in reading.rules.items())


def entries(reading: Reading) -> Iterator[Sample]:
    """Read how many requests are in the journal."""
    return (Sample((name,), count) for name, count in reading.journal.items())


def dropped(reading: Reading) -> Iterator[Sample]:
    """Read how many requests are not in the journal, by reason."""
    for listener, block in reading.listeners.items():
        for reason in Dropped:
            unrecorded = reading.journal_disabled.get(listener, 0) if reason is Dropped.DISABLED else 0
            yield Sample((listener, reason.label), block[JOURNAL_DROPPED + reason] + unrecorded)


def strikes(reading: Reading) -> Iterator[Sample]:
    """Read the cells of faults."""
    return (Sample(key, count) for key, count in reading.faults.items())


def fact(value: Callable[[Facts], float]) -> Callable[[Reading], Iterator[Sample]]:
    """Read one series without labels."""
    return lambda reading: iter((Sample((), value(reading.facts)),))


def each_worker(value: Callable[[WorkerFacts], float]) -> Callable[[Reading], Iterator[Sample]]:
    """Read one series per slot."""
    return lambda reading: (Sample((str(worker.index),), value(worker)) for worker in reading.facts.workers)


def build(reading: Reading) -> Iterator[Sample]:
    """The build info, whose value is always 1."""
    yield Sample((reading.facts.version,), 1)
