"""The exposition shows the shared counters."""

import shutil
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from answerback.core.actions import CloseReason
from answerback.core.tls import Handshakes
from answerback.metrics.exposition import Abandoned, Exposition
from answerback.metrics.families import FAMILIES, PREFIX, SECTIONS
from answerback.metrics.samples import Kind
from answerback.metrics.snapshot import Counts, Runtime, read_counts
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.listener_counters import ACCEPT_ERRORS, DURATION_BOUNDS, REJECTIONS, Dropped, ListenerCounters

if TYPE_CHECKING:
    from tests.metrics.conftest import FakeWorker

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def exposition(memory: SharedCounters, places: CounterLayout, runtime: Callable[[], Runtime]) -> Exposition:
    return Exposition(memory, lambda: places, runtime)


@pytest.fixture
def slots(memory: SharedCounters, places: CounterLayout) -> list[ListenerCounters]:
    return [ListenerCounters(memory.region(slot), places.listeners["hello"]) for slot in range(2)]


def values(exposition: Exposition) -> Values:
    body, _ = exposition.render()
    families = parse_text(body.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(exposition: Exposition, name: str, **labels: str) -> float:
    return values(exposition)[PREFIX + name, frozenset(labels.items())]


def test_nothing_is_read_before_the_first_scrape(memory: SharedCounters) -> None:
    def read() -> NoReturn:
        raise AssertionError("it was read")

    exposition = Exposition(memory, read, read)
    with pytest.raises(AssertionError, match="it was read"):
        exposition.render()


def test_known_series_are_exposed_from_0(exposition: Exposition) -> None:
    found = {key: value for key, value in values(exposition).items() if key[0].startswith(PREFIX)}
    by_label = {
        "connections_closed_total": ("reason", [reason.label for reason in CloseReason]),
        "connections_rejected_total": ("reason", REJECTIONS),
        "accept_errors_total": ("errno", ACCEPT_ERRORS),
        "rule_matches_total": ("rule", ["greet", "rules[1]"]),
        "rule_unexpected_frames_total": ("rule", ["greet"]),
        "faults_applied_total": ("fault", ["lossy"]),
        "journal_dropped_total": ("reason", [reason.label for reason in Dropped]),
        "tls_handshakes_total": ("outcome", [outcome.label for outcome in Handshakes]),
    }
    for family in FAMILIES:
        if family.labels[:1] != ("listener",) or family.kind is Kind.HISTOGRAM or family in SECTIONS["Upstreams"]:
            continue
        label, series = by_label.get(family.name, ("", [""]))
        for one in series:
            labels = {"listener": "hello"} | ({label: one} if label else {})
            assert found.pop((PREFIX + family.name, frozenset(labels.items()))) == 0
    left = {name for name, labels in found if "listener" in dict(labels)}
    assert left == {PREFIX + f"request_duration_seconds_{part}" for part in ("bucket", "count", "sum")}


def test_families_are_exposed_with_type_and_help(exposition: Exposition) -> None:
    lines = exposition.render()[0].decode().splitlines()
    for family in FAMILIES:
        assert f"# TYPE {PREFIX}{family.name} {family.kind.value}" in lines
        assert any(line.startswith(f"# HELP {PREFIX}{family.name} ") for line in lines)


def test_exposed_counts_are_sums_over_slots(exposition: Exposition, slots: list[ListenerCounters]) -> None:
    for books in slots:
        books.accepted()
        books.received(100)
    slots[0].accepted()
    slots[1].closed(CloseReason.IDLE_TIMEOUT, probe=False)
    assert value(exposition, "connections_accepted_total", listener="hello") == 3
    assert value(exposition, "connections_open", listener="hello") == 2
    assert value(exposition, "connections_closed_total", listener="hello", reason="idle_timeout") == 1
    assert value(exposition, "received_bytes_total", listener="hello") == 200


def test_faults_have_their_own_series(
    exposition: Exposition, slots: list[ListenerCounters], places: CounterLayout
) -> None:
    for books in slots:
        books.fault_applied(places.faults["hello", "lossy"])
    assert value(exposition, "faults_applied_total", listener="hello", fault="lossy") == 2


def test_unexpected_frames_are_counted_by_rule(
    exposition: Exposition, slots: list[ListenerCounters], places: CounterLayout
) -> None:
    for books in slots:
        books.unexpected_frame(places.unexpected_frames["hello", "greet"])
    assert value(exposition, "rule_unexpected_frames_total", listener="hello", rule="greet") == 2
    assert value(exposition, "rule_matches_total", listener="hello", rule="greet") == 0


def test_rules_have_their_own_series(
    exposition: Exposition, slots: list[ListenerCounters], places: CounterLayout
) -> None:
    slots[0].requested(places.rules["hello", "greet"], 1)
    slots[1].requested(places.rules["hello", "greet"], 1)
    slots[1].matched(places.rules["hello", "rules[1]"])
    slots[1].unmatched(1)
    assert value(exposition, "rule_matches_total", listener="hello", rule="greet") == 2
    assert value(exposition, "rule_matches_total", listener="hello", rule="rules[1]") == 1
    assert value(exposition, "requests_total", listener="hello") == 3
    assert value(exposition, "requests_unmatched_total", listener="hello") == 1


def test_histogram_buckets_are_cumulative_and_complete(exposition: Exposition, slots: list[ListenerCounters]) -> None:
    slots[0].answered(0.002, 2)
    slots[1].answered(0.25, 1)
    slots[1].answered(100.0, 1)
    name = "request_duration_seconds"
    buckets = {bound: value(exposition, f"{name}_bucket", listener="hello", le=str(bound)) for bound in DURATION_BOUNDS}
    assert buckets == {bound: (bound >= 0.002) * 2 + (bound >= 0.25) for bound in DURATION_BOUNDS}
    assert value(exposition, f"{name}_bucket", listener="hello", le="+Inf") == 4
    assert value(exposition, f"{name}_count", listener="hello") == 4
    assert value(exposition, f"{name}_sum", listener="hello") == pytest.approx(100.254)


def test_delays_are_exposed_in_seconds(exposition: Exposition, slots: list[ListenerCounters]) -> None:
    slots[0].delayed(1.5)
    slots[1].delayed(0.25)
    assert value(exposition, "injected_delay_seconds_total", listener="hello") == 1.75


def test_exposition_shows_configuration_and_worker_values(exposition: Exposition, workers: "list[FakeWorker]") -> None:
    workers[1].running = False
    assert value(exposition, "config_revision") == 3
    assert value(exposition, "config_last_applied_timestamp_seconds") == 1_700_000_000.25
    assert value(exposition, "config_last_rejected_timestamp_seconds") == 0
    assert value(exposition, "workers") == 1
    assert value(exposition, "worker_config_revision", worker="1") == 3
    assert value(exposition, "worker_restarts_total", worker="1") == 2
    assert value(exposition, "worker_startup_duration_seconds", worker="0") == 0.125
    assert value(exposition, "worker_event_loop_lag_seconds", worker="0") == 0.0005
    assert value(exposition, "build_info", version="1.2.3") == 1


def test_listeners_and_rules_added_later_are_exposed(exposition: Exposition, places: CounterLayout) -> None:
    places.listener("later")
    places.rule("later", "new")
    assert value(exposition, "connections_accepted_total", listener="later") == 0
    assert value(exposition, "rule_matches_total", listener="later", rule="new") == 0


def test_exposition_escapes_listener_names(exposition: Exposition, places: CounterLayout) -> None:
    odd = 'a "quoted"\\name\nof two lines'
    places.listener(odd)
    assert value(exposition, "connections_open", listener=odd) == 0


def test_exposition_has_process_metrics_of_the_supervisor(exposition: Exposition) -> None:
    assert values(exposition)["process_open_fds", frozenset()] > 0


@pytest.mark.parametrize(
    "openmetrics, expected",
    [
        (False, "text/plain; version=0.0.4; charset=utf-8"),
        (True, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_exposition_has_the_requested_format(exposition: Exposition, openmetrics: bool, expected: str) -> None:
    body, content_type = exposition.render(openmetrics_format=openmetrics)
    assert content_type == expected
    parse = parse_openmetrics if openmetrics else parse_text
    names = {family.name for family in parse(body.decode())}
    assert {PREFIX + family.name.removesuffix("_total") for family in FAMILIES} <= names


@pytest.mark.parametrize("openmetrics", [False, True])
def test_abandoned_render_stops_at_the_next_family(exposition: Exposition, openmetrics: bool) -> None:
    answers = iter([False, False, True])
    with pytest.raises(Abandoned):
        exposition.render(openmetrics_format=openmetrics, abandoned=lambda: next(answers))
    assert next(answers, None) is None
    assert exposition.render()[0]


@pytest.mark.programs
def test_exposition_passes_promtool(exposition: Exposition, slots: list[ListenerCounters]) -> None:
    slots[0].accepted()
    slots[0].answered(0.2, 1)
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing (Debian: apt install prometheus)"
    body, _ = exposition.render()
    report = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False)
    assert (report.returncode, report.stdout, report.stderr) == (0, b"", b"")


def test_counts_of_one_listener_are_sums_over_slots(
    memory: SharedCounters, places: CounterLayout, slots: list[ListenerCounters]
) -> None:
    slots[0].accepted()
    slots[1].accepted()
    slots[1].closed(CloseReason.DRAIN, probe=False)
    slots[1].unmatched(1)
    assert read_counts(memory, places, "hello") == Counts(accepted=2, open=1, requests=1, unmatched=1, aborted=0)
    assert read_counts(memory, places, "unheard of") == Counts(0, 0, 0)
