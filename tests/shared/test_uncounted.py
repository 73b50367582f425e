"""The counters of connections that are not counted, or not yet."""

import pytest

from answerback.core.actions import CloseReason
from answerback.core.session_metrics import SessionMetrics
from answerback.core.tls import Handshakes
from answerback.shared.counters import SharedCounters
from answerback.shared.listener_counters import ACCEPTED, AWAITING_HEADER, CLOSED, OPEN, SESSION_ERRORS, Cells
from answerback.shared.uncounted import AwaitingCounters, RejectedCounters, UncountedCounters
from tests.shared.dying import RULE, moved

CRASHED = CLOSED + CloseReason.WORKER_CRASHED


@pytest.fixture
def cells() -> Cells:
    return SharedCounters.create(1).region(0)


def test_connection_whose_header_is_awaited_is_open_and_accepted_with_its_header(cells: Cells) -> None:
    awaiting = AwaitingCounters(cells, 0)
    awaiting.accepted()
    awaiting.received(10)
    assert moved(cells) == {AWAITING_HEADER: 1, OPEN: 1}
    awaiting.header_arrived()
    assert moved(cells) == {ACCEPTED: 1, OPEN: 1}


def test_connection_that_is_not_counted_leaves_nothing(cells: Cells) -> None:
    awaiting, uncounted = AwaitingCounters(cells, 0), UncountedCounters(cells, 0)
    awaiting.accepted()
    awaiting.forgotten()
    uncounted.received(1)
    uncounted.sent(2)
    uncounted.requested(RULE, 1)
    uncounted.unmatched(1)
    uncounted.matched(RULE)
    uncounted.fault_applied(RULE)
    uncounted.answered(0.1, 1)
    uncounted.delayed(0.1)
    uncounted.truncated()
    uncounted.unexpected_frame(RULE)
    uncounted.handshake(Handshakes.TLS_1_3)
    uncounted.closed(CloseReason.PEER_EOF, probe=True)
    assert moved(cells) == {}
    uncounted.failed()
    assert moved(cells) == {SESSION_ERRORS: 1}


def test_sessions_of_connections_that_are_not_counted_count_nothing() -> None:
    counts = {name for name in vars(SessionMetrics) if not name.startswith("_")}
    assert len(counts) > 5
    assert counts <= vars(UncountedCounters).keys()


def test_connection_that_is_closed_before_its_header_is_accepted_and_closed(cells: Cells) -> None:
    awaiting = AwaitingCounters(cells, 0)
    awaiting.accepted()
    awaiting.closed(CloseReason.PROXY_HEADER, probe=False)
    assert moved(cells) == {ACCEPTED: 1, CLOSED + CloseReason.PROXY_HEADER: 1}


def test_close_crashed_counts_connections_whose_header_is_awaited(cells: Cells) -> None:
    awaiting = AwaitingCounters(cells, 0)
    awaiting.accepted()
    awaiting.accepted()
    awaiting.header_arrived()
    assert [awaiting.close_crashed(), awaiting.close_crashed()] == [2, 0]
    assert moved(cells) == {ACCEPTED: 2, CRASHED: 2}


def test_rejected_connection_counts_the_matches_of_rules_alone(cells: Cells) -> None:
    rejected = RejectedCounters(cells, 0)
    rejected.matched(-1)
    rejected.received(1)
    rejected.sent(2)
    rejected.handshake(Handshakes.TLS_1_3)
    rejected.closed(CloseReason.PEER_EOF, probe=True)
    assert moved(cells) == {}
    rejected.matched(RULE)
    assert moved(cells) == {RULE: 1}
