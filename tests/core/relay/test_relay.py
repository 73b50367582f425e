"""The state of a relayed connection, without a network."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.actions import Abort, Close, CloseReason
from answerback.core.plan import ActivePlan, Limits, ListenerPlan
from answerback.core.relay import PEER, UPSTREAM, Act, Finish, Pass, Relay
from answerback.core.relay.relay import QUIET_SECONDS
from answerback.core.session.closing import LINGER_BYTES, LINGER_SECONDS

PLAN = ListenerPlan("it", "", limits=Limits(idle_timeout=10.0, lifetime=100.0))
SIDES = (PEER, UPSTREAM)


def relaying(plan: ListenerPlan = PLAN) -> Relay:
    """A relay that is connected at 1.0."""
    relay = Relay(ActivePlan(plan), 0.0)
    assert list(relay.connected(1.0)) == []
    return relay


def test_relay_reads_neither_side_before_it_is_connected() -> None:
    relay = Relay(ActivePlan(PLAN), 0.0)
    assert [relay.wants_read(side) for side in SIDES] == [False, False]
    assert relay.waits_for == "upstream"
    assert relay.deadline == 100.0
    relay.connected(1.0)
    assert [relay.wants_read(side) for side in SIDES] == [True, True]
    assert relay.waits_for == "data"
    assert relay.deadline == 11.0


def test_relay_without_an_upstream_is_reset() -> None:
    relay = Relay(ActivePlan(PLAN), 0.0)
    assert relay.not_connected("ECONNREFUSED", 1.0) == (Abort(CloseReason.UPSTREAM_DOWN),)
    assert relay.over


@pytest.mark.parametrize("eof", [False, True])
def test_client_is_closed_in_order_before_there_is_an_upstream(eof: bool) -> None:
    relay = Relay(ActivePlan(PLAN), 0.0)
    end = Close(CloseReason.TLS_HANDSHAKE)
    assert list(relay.close_peer(end.reason, 1.0, eof=eof)) == [Finish(PEER), *([end] if eof else [])]
    assert relay.over or list(relay.receive_eof(PEER, 2.0)) == [end]
    assert list(relaying().close_peer(end.reason, 2.0)) == [], "there is one"


@pytest.mark.parametrize("side", SIDES)
def test_bytes_are_for_the_other_side(side: int) -> None:
    assert relaying().receive_data(side, b"a", 2.0) == (Pass(1 - side, b"a"),)


@pytest.mark.parametrize("side", SIDES)
def test_side_is_not_read_while_the_other_one_is_slow(side: int) -> None:
    relay = relaying()
    relay.writing_paused(1 - side)
    assert not relay.wants_read(side)
    assert relay.wants_read(1 - side)
    assert relay.waits_for == ("client_reads", "upstream_reads")[1 - side]
    assert list(relay.writing_resumed(1 - side, 3.0)) == []
    assert relay.wants_read(side)


@pytest.mark.parametrize("side, reason", [(PEER, CloseReason.PEER_EOF), (UPSTREAM, CloseReason.UPSTREAM_EOF)])
def test_connection_closes_for_the_first_fin_when_both_are_passed_on(side: int, reason: CloseReason) -> None:
    relay = relaying()
    assert list(relay.receive_eof(side, 2.0)) == [Finish(1 - side)]
    assert not relay.wants_read(side)
    assert relay.wants_read(1 - side)
    assert list(relay.receive_data(1 - side, b"late", 3.0)) == [Pass(side, b"late")]
    assert list(relay.receive_eof(1 - side, 4.0)) == [Finish(side), Close(reason)]
    assert relay.over


def test_fin_waits_behind_bytes_that_are_held() -> None:
    relay = relaying()
    relay.writing_paused(UPSTREAM)
    assert list(relay.receive_eof(PEER, 2.0)) == []
    assert list(relay.writing_resumed(UPSTREAM, 3.0)) == [Finish(UPSTREAM)]


def test_connection_stays_open_until_the_last_bytes_are_in_the_kernel() -> None:
    relay = relaying()
    relay.receive_eof(PEER, 2.0)
    relay.writing_paused(PEER)
    assert list(relay.receive_eof(UPSTREAM, 3.0)) == []
    assert list(relay.writing_resumed(PEER, 4.0)) == [Finish(PEER), Close(CloseReason.PEER_EOF)]


def test_half_closed_state_is_shown() -> None:
    relay = relaying()
    assert relay.state == "OPEN"
    relay.receive_eof(UPSTREAM, 2.0)
    assert relay.state == "HALF_CLOSED"
    relay.receive_eof(PEER, 2.0)
    assert relay.state == "CLOSING"


def test_reset_of_a_side_resets_both() -> None:
    relay = relaying()
    relay.receive_eof(PEER, 2.0)
    assert relay.lost(CloseReason.UPSTREAM_RESET) == (Abort(CloseReason.UPSTREAM_RESET),)
    assert list(relay.lost(CloseReason.PEER_RESET)) == []


def test_idle_connection_is_closed_in_order_on_both_sides() -> None:
    relay = relaying()
    relay.receive_data(PEER, b"a", 5.0)
    assert list(relay.handle_timer(11.0)) == []
    assert relay.deadline == 15.0
    assert list(relay.handle_timer(15.0)) == [Finish(PEER), Finish(UPSTREAM)]
    assert relay.waits_for == "fin"
    assert relay.deadline == 15.0 + LINGER_SECONDS
    assert list(relay.receive_data(PEER, b"late", 15.5)) == []
    assert list(relay.receive_eof(PEER, 16.0)) == []
    assert list(relay.receive_eof(UPSTREAM, 16.0)) == [Close(CloseReason.IDLE_TIMEOUT)]


def test_side_that_does_not_close_is_waited_for_during_the_linger_time() -> None:
    relay = relaying()
    relay.handle_timer(11.0)
    relay.receive_eof(PEER, 12.0)
    assert list(relay.handle_timer(11.0 + LINGER_SECONDS - 0.01)) == []
    assert list(relay.handle_timer(11.0 + LINGER_SECONDS)) == [Close(CloseReason.IDLE_TIMEOUT)]


def test_side_that_continues_to_send_is_closed_after_the_linger_bytes() -> None:
    relay = relaying()
    relay.handle_timer(11.0)
    assert list(relay.receive_data(UPSTREAM, bytes(LINGER_BYTES), 11.0)) == []
    assert list(relay.receive_data(UPSTREAM, b"x", 11.0)) == [Close(CloseReason.IDLE_TIMEOUT)]
    assert list(relay.receive_data(UPSTREAM, b"x", 11.0)) == []


def test_loss_while_closing_keeps_the_reason() -> None:
    relay = relaying()
    relay.handle_timer(11.0)
    assert relay.lost(CloseReason.PEER_RESET) == (Abort(CloseReason.IDLE_TIMEOUT),)


def test_abort_has_its_own_reason_also_while_closing() -> None:
    relay = relaying()
    relay.handle_timer(11.0)
    assert relay.abort(CloseReason.ABORTED) == (Abort(CloseReason.ABORTED),)


def test_slow_side_is_not_idle() -> None:
    relay = relaying()
    relay.writing_paused(PEER)
    assert list(relay.handle_timer(50.0)) == []
    assert relay.deadline == 60.0


def test_closing_waits_for_a_slow_side_without_a_deadline_of_its_own() -> None:
    relay = relaying()
    relay.writing_paused(PEER)
    assert list(relay.handle_timer(100.0)) == [Finish(UPSTREAM)]
    assert relay.deadline == inf, "write_timeout ends it"
    assert list(relay.writing_resumed(PEER, 101.0)) == [Finish(PEER)]
    assert relay.deadline == 101.0 + LINGER_SECONDS


def test_lifetime_ends_a_connection_that_is_being_made() -> None:
    relay = Relay(ActivePlan(PLAN), 0.0)
    assert list(relay.handle_timer(99.0)) == []
    assert list(relay.handle_timer(100.0)) == [Abort(CloseReason.MAX_LIFETIME)]


def test_drain_closes_a_connection_that_has_been_quiet() -> None:
    relay = relaying()
    assert list(relay.drain(1.0 + QUIET_SECONDS)) == [Finish(PEER), Finish(UPSTREAM)]
    relay.receive_eof(PEER, 3.0)
    assert list(relay.receive_eof(UPSTREAM, 3.0)) == [Close(CloseReason.DRAIN)]


def test_drain_waits_until_nothing_has_passed_for_a_while() -> None:
    relay = relaying()
    relay.receive_data(PEER, b"a", 5.0)
    assert list(relay.drain(5.5)) == []
    assert relay.deadline == 5.0 + QUIET_SECONDS
    relay.receive_data(UPSTREAM, b"b", 5.9)
    assert list(relay.handle_timer(6.0)) == []
    assert list(relay.handle_timer(5.9 + QUIET_SECONDS)) == [Finish(PEER), Finish(UPSTREAM)]


def test_drain_of_a_connection_that_is_being_made_waits_for_it() -> None:
    relay = Relay(ActivePlan(PLAN), 0.0)
    assert list(relay.drain(5.0)) == []
    relay.connected(6.0)
    assert relay.deadline == 6.0 + QUIET_SECONDS


def test_limits_are_those_of_the_active_plan() -> None:
    active = ActivePlan(PLAN)
    relay = Relay(active, 0.0)
    relay.connected(1.0)
    active.plan = replace(PLAN, limits=Limits(idle_timeout=2.0))
    assert list(relay.handle_timer(3.0)) == [Finish(PEER), Finish(UPSTREAM)]


def paused(relay: Relay, side: int) -> Sequence[Act]:
    relay.writing_paused(side)
    return ()


EVENTS: Sequence[Callable[[Relay, int, float], Sequence[Act]]] = (
    lambda relay, side, now: relay.receive_data(side, b"x", now) if relay.wants_read(side) else (),
    lambda relay, side, now: relay.receive_eof(side, now) if relay.wants_read(side) else (),
    lambda relay, side, _: paused(relay, side),
    lambda relay, side, now: relay.writing_resumed(side, now),
    lambda relay, _, now: relay.handle_timer(now),
    lambda relay, _, now: relay.drain(now),
)


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from(SIDES), st.floats(0.0, 5.0)), max_size=40))
def test_whatever_happens_each_side_gets_one_fin_behind_all_bytes_and_there_is_one_end(
    steps: list[tuple[Callable[[Relay, int, float], Sequence[Act]], int, float]],
) -> None:
    relay, now = relaying(), 1.0
    finished, ends = [False, False], 0
    blocked = [False, False]
    for event, side, seconds in steps:
        now += seconds
        if event is EVENTS[2]:
            blocked[side] = not finished[side] or blocked[side]
            if finished[side] or relay.over:
                continue
        if event is EVENTS[3]:
            blocked[side] = False
        if relay.over:
            break
        for act in event(relay, side, now):
            assert not ends
            if isinstance(act, Pass):
                assert not finished[act.side]
            elif isinstance(act, Finish):
                assert not finished[act.side]
                assert not blocked[act.side]
                finished[act.side] = True
            else:
                ends += 1
    assert relay.over is (ends == 1)


@pytest.mark.parametrize("end", [lambda relay: relay.close_in_order(2.0), lambda relay: relay.abort(CloseReason.DRAIN)])
def test_bytes_pass_directly_while_nothing_decides_about_them(end: Callable[[Relay], object]) -> None:
    assert not Relay(ActivePlan(PLAN), 0.0).direct
    relay = relaying()
    assert relay.direct
    end(relay)
    assert not relay.direct
