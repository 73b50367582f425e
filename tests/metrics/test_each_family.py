"""Each family is read from its own cell: every cell has a different value."""

from answerback.core.actions import CloseReason
from answerback.core.tls import Handshakes
from answerback.metrics.exposition import Exposition
from answerback.metrics.snapshot import Runtime, read_counts, read_open
from answerback.shared import listener_counters
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.listener_counters import ACCEPT_ERRORS, BLOCK, REJECTIONS, UPSTREAM_ERRORS, ListenerCounters
from tests.metrics.conftest import FakeWorker
from tests.metrics.test_exposition import values

# The first cell of a family that has one for each value of its second label, and these values.
ROWS = {
    "connections_closed_total": (listener_counters.CLOSED, "reason", [reason.label for reason in CloseReason]),
    "connections_rejected_total": (listener_counters.REJECTED, "reason", REJECTIONS),
    "accept_errors_total": (listener_counters.ACCEPT_FAILED, "errno", ACCEPT_ERRORS),
    "upstream_tls_handshakes_total": (
        listener_counters.UPSTREAM_HANDSHAKES,
        "outcome",
        [outcome.label for outcome in Handshakes],
    ),
    "tls_handshakes_total": (listener_counters.HANDSHAKES, "outcome", [outcome.label for outcome in Handshakes]),
    "upstream_connect_errors_total": (listener_counters.UPSTREAM_FAILED, "errno", UPSTREAM_ERRORS),
}
CELLS = {
    "connections_accepted_total": listener_counters.ACCEPTED,
    "connections_open": listener_counters.OPEN,
    "connections_awaiting_header": listener_counters.AWAITING_HEADER,
    "received_bytes_total": listener_counters.RECEIVED_BYTES,
    "sent_bytes_total": listener_counters.SENT_BYTES,
    "requests_total": listener_counters.REQUESTS,
    "requests_unmatched_total": listener_counters.UNMATCHED,
    "requests_truncated_total": listener_counters.TRUNCATED,
    "connections_without_data_total": listener_counters.PROBES,
    "session_errors_total": listener_counters.SESSION_ERRORS,
    "peer_counts_evicted_total": listener_counters.PEERS_EVICTED,
    "upstream_connections_total": listener_counters.UPSTREAM_CONNECTED,
    "upstream_received_bytes_total": listener_counters.UPSTREAM_RECEIVED_BYTES,
    "upstream_sent_bytes_total": listener_counters.UPSTREAM_SENT_BYTES,
}
RUNTIME = Runtime(
    version="1.2.3",
    revision=11,
    last_applied=12.25,
    last_rejected=13.5,
    workers=(
        FakeWorker(0, revision=21, restarts=22, planned_restarts=25, start_seconds=23.5, loop_lag_seconds=24.5),
        FakeWorker(
            1, running=False, revision=31, restarts=32, planned_restarts=35, start_seconds=33.5, loop_lag_seconds=34.5
        ),
    ),
    applied=14,
    rejected=15,
    file_rejected=False,
    ready=True,
)
BY_FACT = {
    "config_revision": 11,
    "config_last_applied_timestamp_seconds": 12.25,
    "config_last_rejected_timestamp_seconds": 13.5,
    "config_applied_total": 14,
    "config_rejected_total": 15,
    "config_file_rejected": 0,
    "ready": 1,
    "workers": 1,
}
BY_WORKER = {
    "worker_config_revision": (21, 31),
    "worker_restarts_total": (22, 32),
    "worker_planned_restarts_total": (25, 35),
    "worker_startup_duration_seconds": (23.5, 33.5),
    "worker_event_loop_lag_seconds": (24.5, 34.5),
}


def numbered(memory: SharedCounters, place: int) -> None:
    """Give every cell of a block another number, one part of it in each slot."""
    for slot in range(2):
        cells = memory.region(slot)
        for offset in range(BLOCK):
            cells[place + offset] = (1000 + offset) * (slot + 1)


def test_listener_family_is_read_from_its_cell(memory: SharedCounters, places: CounterLayout) -> None:
    numbered(memory, places.listeners["hello"])
    found = values(Exposition(memory, lambda: places, lambda: RUNTIME))

    def one(name: str, **labels: str) -> float:
        return found["answerback_" + name, frozenset({"listener": "hello", **labels}.items())]

    for name, offset in CELLS.items():
        assert one(name) == 3 * (1000 + offset), name
    for name, (first, label, series) in ROWS.items():
        for offset, each in enumerate(series, first):
            assert one(name, **{label: each}) == 3 * (1000 + offset), each
    assert one("injected_delay_seconds_total") == 3 * (1000 + listener_counters.DELAY_NANOSECONDS) / 1e9
    assert one("request_duration_seconds_sum") == 3 * (1000 + listener_counters.DURATION_NANOSECONDS) / 1e9
    nanoseconds = 3 * (1000 + listener_counters.UPSTREAM_NANOSECONDS)
    assert one("upstream_connect_duration_seconds_sum") == nanoseconds / 1e9
    for histogram, first in (
        ("request_duration_seconds", listener_counters.DURATION),
        ("upstream_connect_duration_seconds", listener_counters.UPSTREAM_DURATION),
    ):
        buckets = range(first, first + len(listener_counters.DURATION_BOUNDS) + 1)
        assert one(f"{histogram}_count") == sum(3 * (1000 + offset) for offset in buckets)


def test_listener_without_an_upstream_has_no_series_of_upstreams(memory: SharedCounters, places: CounterLayout) -> None:
    def series() -> set[str]:
        return {name for name, _ in values(Exposition(memory, lambda: places, lambda: RUNTIME)) if "_upstream_" in name}

    assert series() == set()
    ListenerCounters(memory.region(1), places.listeners["hello"]).relays()
    assert len(series()) == 3 + 2 + 3  # counters of connections, errors, handshakes and bytes; parts of the histogram


def test_process_fact_is_in_its_family(memory: SharedCounters, places: CounterLayout) -> None:
    found = values(Exposition(memory, lambda: places, lambda: RUNTIME))
    for name, expected in BY_FACT.items():
        assert found["answerback_" + name, frozenset()] == expected, name
    for name, of_each in BY_WORKER.items():
        for worker, expected_of_one in enumerate(of_each):
            assert found["answerback_" + name, frozenset({("worker", str(worker))})] == expected_of_one, name


def test_listener_counts_are_read_from_their_cells(memory: SharedCounters, places: CounterLayout) -> None:
    place = places.listeners["hello"]
    numbered(memory, place)
    offsets = (
        listener_counters.ACCEPTED,
        listener_counters.OPEN,
        listener_counters.REQUESTS,
        listener_counters.CLOSED + CloseReason.ABORTED,
    )
    expected = [3 * (1000 + offset) for offset in offsets]
    counts = read_counts(memory, places, "hello")
    assert [counts.accepted, counts.open, counts.requests, counts.aborted] == expected
    assert read_open(memory, place) == expected[1]
    counts = read_counts(memory, places, "nobody")
    assert [counts.accepted, counts.open, counts.requests, counts.aborted] == [0, 0, 0, 0]


def test_counter_update_changes_its_own_cell_only(memory: SharedCounters) -> None:
    cells = memory.region(0)
    counts = ListenerCounters(cells, 200)  # as far from the beginning as another listener's block would be
    rule, fault = 900, 901
    moves = [
        (counts.accepted, {listener_counters.ACCEPTED: 1, listener_counters.OPEN: 1}),
        (
            lambda: counts.closed(CloseReason.MAX_LIFETIME, probe=False),
            {listener_counters.CLOSED + CloseReason.MAX_LIFETIME: 1, listener_counters.OPEN: -1},
        ),
        (lambda: counts.received(7), {listener_counters.RECEIVED_BYTES: 7}),
        (lambda: counts.sent(8), {listener_counters.SENT_BYTES: 8}),
        (lambda: counts.unmatched(3), {listener_counters.REQUESTS: 3, listener_counters.UNMATCHED: 3}),
        (lambda: counts.requested(rule, 4), {listener_counters.REQUESTS: 4, rule - 200: 4}),
        (lambda: counts.matched(rule), {rule - 200: 1}),
        (lambda: counts.fault_applied(fault), {fault - 200: 1}),
        (lambda: counts.unexpected_frame(rule), {rule - 200: 1}),
        (counts.truncated, {listener_counters.TRUNCATED: 1}),
        (counts.failed, {listener_counters.SESSION_ERRORS: 1}),
        (counts.peer_evicted, {listener_counters.PEERS_EVICTED: 1}),
        (counts.relays, {listener_counters.RELAYS: 1}),
        (lambda: counts.upstream_received(5), {listener_counters.UPSTREAM_RECEIVED_BYTES: 5}),
        (
            lambda: counts.upstream_handshake(Handshakes.TLS_1_3_RESUMED),
            {listener_counters.UPSTREAM_HANDSHAKES + Handshakes.TLS_1_3_RESUMED: 1},
        ),
        (lambda: counts.upstream_sent(6), {listener_counters.UPSTREAM_SENT_BYTES: 6}),
        (lambda: counts.upstream_failed("timeout"), {listener_counters.UPSTREAM_FAILED + 1: 1}),
        (lambda: counts.upstream_failed("EXDEV"), {listener_counters.UPSTREAM_FAILED + len(UPSTREAM_ERRORS) - 1: 1}),
        (
            lambda: counts.upstream_connected(0.0001),
            {
                listener_counters.UPSTREAM_CONNECTED: 1,
                listener_counters.UPSTREAM_DURATION + 1: 1,
                listener_counters.UPSTREAM_NANOSECONDS: 100_000,
            },
        ),
        (lambda: counts.delayed(1.5), {listener_counters.DELAY_NANOSECONDS: 1_500_000_000}),
    ]
    for move, expected in moves:
        before = cells[:2000].tolist()
        move()
        both = enumerate(zip(before, cells[:2000], strict=True), -200)
        assert {offset: now - was for offset, (was, now) in both if now != was} == expected
