"""Renders the metrics for Prometheus: families from shared counters and runtime values, and the process metrics."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from answerback.metrics.families import FAMILIES, PREFIX
from answerback.metrics.samples import Distribution, Family, Kind
from answerback.metrics.snapshot import Placed, Runtime, Snapshot, read
from answerback.shared.counters import SharedCounters
from answerback.shared.listener_counters import DURATION_BOUNDS

# Rule: `render` is called in a thread; it reads, and takes no lock.
# Rule: nothing is kept between scrapes; the shared counters are the only place of a count.
# Rule: the registry is our own: metrics that libraries register globally are not exposed.

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS: Final = (*map(floatToGoString, DURATION_BOUNDS), "+Inf")


class Abandoned(Exception):
    """The client does not wait for the result any more."""


class Exposition:
    """Renders all families. `shown` and `runtime` are called once per scrape."""

    def __init__(self, memory: SharedCounters, shown: Callable[[], Placed], runtime: Callable[[], Runtime]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._families = _Families(memory, shown, runtime)
        self._registry.register(self._families)
        ProcessCollector(registry=self._registry)

    def render(
        self, *, openmetrics_format: bool = False, abandoned: Callable[[], bool] = lambda: False
    ) -> tuple[bytes, str]:
        """Return the rendered metrics and their content type: OpenMetrics, or the text format. Not concurrently.

        `abandoned` is asked before each family. Raises Abandoned if it says so.
        """
        self._families.abandoned = abandoned
        if openmetrics_format:
            body: bytes = exposition.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return body, exposition.CONTENT_TYPE_LATEST
        return generate_latest(self._registry), TEXT


class _Families(Collector):
    def __init__(self, memory: SharedCounters, shown: Callable[[], Placed], runtime: Callable[[], Runtime]) -> None:
        self._memory = memory
        self._shown = shown
        self._runtime = runtime
        self.abandoned: Callable[[], bool] = lambda: False

    def collect(self) -> Iterator[Metric]:
        snapshot = read(self._memory, self._shown(), self._runtime())
        for family in FAMILIES:
            if self.abandoned():
                raise Abandoned
            yield _metric(family, snapshot)


def _metric(family: Family, snapshot: Snapshot) -> Metric:
    name = PREFIX + family.name
    if family.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(name, family.help, labels=family.labels)
        for sample in family.read(snapshot):
            assert isinstance(sample, Distribution)
            below = zip(BOUNDS, accumulate(sample.counts), strict=True)
            histogram.add_metric(sample.labels, list(below), sample.sum)
        return histogram
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(name, family.help, labels=family.labels)
    for sample in family.read(snapshot):
        assert not isinstance(sample, Distribution)
        metric.add_metric(sample.labels, sample.value)
    return metric
