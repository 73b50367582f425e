"""One direction of a relay with faults: when its pieces are due."""

from collections.abc import Sequence
from math import inf
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.actions import Abort, Close, CloseReason
from answerback.core.context import RequestContext
from answerback.core.delays import Fixed, Uniform
from answerback.core.faults import (
    Bandwidth,
    Blackhole,
    Effect,
    Fault,
    Hang,
    Latency,
    Reset,
    Slice,
    SlowClose,
    Truncate,
)
from answerback.core.plan import ActivePlan, Limits, ListenerPlan
from answerback.core.relay import PEER, UPSTREAM, Act, Finish, Pass, Relay
from answerback.core.relay.flow import CHUNK, MAX_HELD, Flow


class Metrics:
    """Counts the faults that applied."""

    def __init__(self) -> None:
        self.applied: list[int] = []

    def fault_applied(self, fault: int) -> None:
        self.applied.append(fault)


class Info:
    """A connection with a generator of its own."""

    def __init__(self) -> None:
        self.chance = Random(1)
        self.numbers: dict[int, int] = {}

    def clock(self) -> float:
        return 0.0

    def next_number(self, cell: int, most: int, window: float = 0.0, /) -> int | None:  # noqa: ARG002 - no windows here
        number = self.numbers.get(cell, 0)
        if most and number >= most:
            return None
        self.numbers[cell] = number + 1
        return number


METRICS = Metrics()


def context(metrics: Metrics = METRICS) -> RequestContext:
    return RequestContext("it", Info(), metrics)  # type: ignore[arg-type]


def fault(effect: Effect, **how: object) -> Fault:
    return Fault("it", 5, effect, **how)  # type: ignore[arg-type]


def flow(*effects: Effect | Fault) -> Flow:
    return Flow([each if isinstance(each, Fault) else fault(each) for each in effects], context(), 0.0)


def taken(it: Flow, *times: float) -> list[tuple[float, bytes]]:
    """What comes out at these times."""
    return [(time, b"".join(pieces)) for time in times if (pieces := list(it.take(time)))]


def truncate(size: int, *, by_reset: bool = False) -> Fault:
    return fault(Truncate(size, by_reset), per_connection=True)


def test_latency_delays_every_chunk_and_not_the_rate() -> None:
    it = flow(Latency(Fixed(1.0)))
    for number in range(3):
        it.feed(b"%d" % number, number / 10)
    assert it.due_at == 1.0
    assert taken(it, 0.99, 1.0, 1.1, 1.15, 1.2) == [(1.0, b"0"), (1.1, b"1"), (1.2, b"2")]
    assert [it.empty, it.due_at] == [True, inf]


def test_shorter_latency_does_not_overtake() -> None:
    it = Flow([fault(Latency(Fixed(1.0)), times=1)], context(), 0.0)
    it.feed(b"a", 0.0)
    it.feed(b"b", 0.1)
    assert taken(it, 0.5, 1.0) == [(1.0, b"ab")]


def test_bandwidth_is_that_of_a_line() -> None:
    it = flow(Bandwidth(100))
    it.feed(bytes(30), 0.0)
    it.feed(bytes(10), 0.0)
    sizes = [(time, len(data)) for time, data in taken(it, 0.09, 0.101, 0.201, 0.301, 0.401)]
    assert sizes == [(0.101, 10), (0.201, 10), (0.301, 10), (0.401, 10)]
    it.feed(bytes(10), 5.0)
    assert it.due_at == pytest.approx(5.1)


def test_slice_leaves_a_gap_between_pieces() -> None:
    it = flow(Slice(2, 0, 0.5))
    it.feed(b"abcde", 0.0)
    assert taken(it, 0.0, 0.5, 1.0) == [(0.0, b"ab"), (0.5, b"cd"), (1.0, b"e")]


def test_faults_act_in_the_order_written() -> None:
    it = flow(Latency(Fixed(1.0)), Slice(1, 0, 0.25), Bandwidth(10_000))
    it.feed(b"ab", 0.0)
    assert it.due_at == pytest.approx(1.0001)
    list(it.take(1.2))
    assert it.due_at == pytest.approx(1.2501)


@pytest.mark.parametrize("by_reset", [False, True])
def test_truncate_ends_behind_the_first_bytes_of_the_connection(by_reset: bool) -> None:
    it = flow(truncate(5, by_reset=by_reset))
    it.feed(b"abc", 0.0)
    it.feed(b"defg", 0.0)
    it.feed(b"hi", 0.0)
    assert it.end(0.0) is None
    assert taken(it, 0.0) == [(0.0, b"abcde")]
    end = it.end(0.0)
    assert end is not None
    assert end.by_reset is by_reset
    assert taken(it, 9.0) == []


def test_truncate_behind_latency_ends_late() -> None:
    it = flow(Latency(Fixed(1.0)), truncate(2))
    it.feed(b"abc", 0.0)
    assert it.end(0.5) is None
    assert taken(it, 1.0) == [(1.0, b"ab")]
    assert it.end(1.0) is not None


def test_reset_has_a_time_of_its_own() -> None:
    it = flow(Latency(Fixed(9.0)), Reset(0.5))
    assert it.ends_at == inf
    it.feed(b"a", 1.0)
    it.feed(b"b", 1.2)
    assert it.ends_at == 1.5


def test_counts_are_of_chunks() -> None:
    metrics = Metrics()
    it = Flow([fault(Latency(Fixed(1.0)), skip=1, times=2)], context(metrics), 0.0)
    it.feed(bytes(2 * CHUNK), 0.0)
    it.feed(b"c", 2.0)
    it.feed(b"d", 4.0)
    assert metrics.applied == [5, 5]
    assert [time for time, _ in taken(it, 0.0, 1.0, 3.0, 4.0)] == [0.0, 1.0, 3.0, 4.0]


def test_flow_is_full_at_its_bound() -> None:
    it = flow(Latency(Fixed(1.0)))
    full = []
    it.feed(bytes(MAX_HELD - 1), 0.0)
    full.append(it.full)
    it.feed(b"x", 0.0)
    full.append(it.full)
    next(it.take(1.0))
    full.append(it.full)
    assert full == [False, True, False]


def test_changed_faults_release_what_is_held() -> None:
    it = flow(Latency(Fixed(9.0)), Reset(20.0))
    it.feed(b"a", 0.0)
    it.change([fault(Latency(Fixed(1.0)))], 0.1)
    assert it.ends_at == inf
    assert taken(it, 0.1) == [(0.1, b"a")]
    it.feed(b"b", 0.1)
    assert it.due_at == 1.1


def test_unchanged_faults_hold_what_is_held() -> None:
    it = flow(Latency(Fixed(9.0)))
    it.feed(b"a", 0.0)
    it.change([fault(Latency(Fixed(9.0)))], 0.1)
    assert it.due_at == 9.0


def test_released_end_is_cancelled() -> None:
    it = flow(truncate(2))
    it.feed(b"abc", 0.0)
    it.change([], 0.0)
    it.feed(b"def", 0.0)
    assert taken(it, 0.0) == [(0.0, b"abdef")]
    assert it.end(9.0) is None


@given(
    st.lists(st.tuples(st.binary(max_size=50), st.floats(0.0, 0.5)), max_size=10),
    st.lists(
        st.sampled_from(
            [Latency(Uniform(0.0, 1.0)), Slice(3, 2, 0.1), Bandwidth(20), Bandwidth(1_000_000), Latency(Fixed(0.2))]
        ),
        max_size=4,
    ),
)
def test_no_byte_is_lost_or_out_of_order(chunks: list[tuple[bytes, float]], effects: Sequence[Effect]) -> None:
    it = flow(*effects)
    now, got = 0.0, b""
    for data, seconds in chunks:
        now += seconds
        it.feed(data, now)
        got += b"".join(it.take(now))
    got += b"".join(it.take(1e9))
    assert got == b"".join(data for data, _ in chunks)
    assert it.held == 0
    assert it.empty


def test_slice_leaves_its_gap_behind_a_chunk_too() -> None:
    it = flow(Slice(2, 0, 0.5))
    it.feed(b"ab", 0.0)
    it.feed(b"cd", 0.1)
    it.feed(b"ef", 9.0)
    assert taken(it, 0.0, 0.49, 0.5, 9.0) == [(0.0, b"ab"), (0.5, b"cd"), (9.0, b"ef")]


def test_hang_holds_what_arrives_after_its_time_until_it_is_gone() -> None:
    it = flow(Hang(1.0))
    for number in range(3):
        it.feed(b"%d" % number, 5.0 + number / 2)
    it.feed_eof(6.5)
    assert taken(it, 5.0, 5.5, 1e9) == [(5.0, b"0"), (5.5, b"1")]
    assert it.due_at == inf
    it.change([], 7.0)
    assert taken(it, 7.0) == [(7.0, b"2")]
    assert it.empty


def test_hang_that_remains_holds_what_it_held() -> None:
    hang, late = fault(Hang(0.0)), fault(Latency(Fixed(1.0)))
    it = flow(hang, late)
    it.feed(b"a", 0.0)
    it.change([hang], 0.5)
    it.feed(b"b", 0.6)
    assert taken(it, 9.0) == []
    it.change([], 9.0)
    assert taken(it, 9.0) == [(9.0, b"ab")]


def test_slow_close_delays_fin_and_not_the_bytes() -> None:
    it = flow(SlowClose(Fixed(2.0)))
    it.feed(b"a", 0.0)
    it.feed_eof(0.5)
    assert taken(it, 0.0) == [(0.0, b"a")]
    assert it.due_at == 2.5
    assert taken(it, 2.5) == []
    assert it.empty


def test_reset_begins_with_fin_if_no_bytes_came() -> None:
    it = flow(Reset(0.5))
    it.feed_eof(1.0)
    assert it.ends_at == 1.5


def test_reset_that_discards_passes_on_neither_bytes_nor_fin() -> None:
    it = flow(Reset(0.5, discard=True))
    it.feed(b"a", 0.0)
    it.feed_eof(0.1)
    assert taken(it, 1.0) == []
    assert not it.empty
    assert it.ends_at == 0.5


def test_blackhole_discards_and_closes_after_the_last_bytes() -> None:
    it = flow(Blackhole(1.0))
    assert it.closes_at == inf
    it.feed(b"a", 0.0)
    it.feed(b"b", 0.5)
    assert [it.empty, it.held, it.closes_at] == [True, 0, 1.5]
    it.feed_eof(0.6)
    assert list(it.take(0.6)) == []
    assert [it.empty, it.closes_at] == [True, 1.5]


def test_blackhole_for_the_connection_closes_although_no_bytes_came() -> None:
    it = Flow([fault(Blackhole(1.0), per_connection=True)], context(), 3.0)
    assert it.closes_at == 4.0
    it.feed(b"a", 3.5)
    assert it.closes_at == 4.5


def test_blackhole_without_a_time_closes_only_when_it_is_gone() -> None:
    it = flow(fault(Blackhole(0.0), per_connection=True))
    it.feed(b"a", 1.0)
    assert it.closes_at == inf
    it.change([fault(Blackhole(5.0), per_connection=True)], 2.0)
    assert it.closes_at == 7.0
    it.change([], 3.0)
    assert it.closes_at == 3.0


def test_blackhole_that_did_not_apply_closes_nothing_when_it_is_gone() -> None:
    it = Flow([fault(Blackhole(0.0), skip=1)], context(), 0.0)
    it.feed(b"a", 0.0)
    it.change([], 1.0)
    assert it.closes_at == inf
    assert taken(it, 1.0) == [(1.0, b"a")]


def test_added_fault_does_not_release_what_another_one_holds() -> None:
    it = flow(Latency(Fixed(1.0)))
    it.feed(b"a", 0.0)
    it.change([fault(Latency(Fixed(1.0))), fault(Bandwidth(1000))], 0.5)
    assert it.due_at == 1.0


def test_changed_truncate_counts_on() -> None:
    it = flow(truncate(5))
    it.feed(b"abc", 0.0)
    it.change([truncate(4)], 0.0)
    it.feed(b"de", 0.0)
    assert taken(it, 0.0) == [(0.0, b"abcd")]
    assert it.end(0.0) is not None


def test_truncate_that_is_changed_below_its_count_ends_without_more_bytes() -> None:
    it = flow(truncate(5))
    it.feed(b"abc", 0.0)
    it.change([truncate(2)], 0.0)
    it.feed(b"de", 0.0)
    assert taken(it, 0.0) == [(0.0, b"abc")]
    assert it.end(0.0) is not None


def test_chance_is_tried_again_for_a_changed_fault_and_not_for_the_others() -> None:
    chance = context()
    names = ["a", "b"]
    faults = [Fault(name, 5, Latency(Fixed(1.0)), probability=0.5, per_connection=True) for name in names]
    it = Flow(faults, chance, 0.0)
    it.feed(b"x", 0.0)
    chosen = {each.name: state for each, state in chance.fault_states.items()}
    changed = Fault("b", 5, Latency(Fixed(2.0)), probability=0.5, per_connection=True)
    it.change([faults[0], changed], 0.0)
    assert chance.fault_states[faults[0]] is chosen["a"]
    assert chance.fault_states[changed].chosen is None
    assert len(chance.fault_states) == 2


# ── In a relay ──────────────────────────────────────────────────────────────────────────────────────────────────────
def relaying(*to_peer: Fault, from_peer: tuple[Fault, ...] = ()) -> Relay:
    plan = ListenerPlan("it", "", limits=Limits(idle_timeout=10.0), relay_faults=(from_peer, to_peer))
    relay = Relay(ActivePlan(plan), 0.0, context)
    assert list(relay.connected(0.0)) == []
    return relay


def settled(relay: Relay, acts: Sequence[Act], now: float) -> list[Act]:
    """These acts, and those that follow when they are done."""
    done: list[Act] = []
    while acts:
        done += acts
        acts = relay.next_acts(now) if relay.flowing else ()
    return done


LATE = fault(Latency(Fixed(1.0)))


def test_direction_without_a_fault_is_not_delayed() -> None:
    relay = relaying(LATE)
    assert settled(relay, relay.receive_data(PEER, b"a", 0.0), 0.0) == [Pass(UPSTREAM, b"a")]
    assert settled(relay, relay.receive_data(UPSTREAM, b"b", 0.0), 0.0) == []
    assert relay.deadline == 1.0
    assert settled(relay, relay.handle_timer(1.0), 1.0) == [Pass(PEER, b"b")]


def test_fin_waits_behind_what_a_fault_holds() -> None:
    relay = relaying(LATE)
    relay.receive_data(UPSTREAM, b"b", 0.0)
    assert settled(relay, relay.receive_eof(UPSTREAM, 0.1), 0.1) == []
    assert settled(relay, relay.handle_timer(1.0), 1.0) == [Pass(PEER, b"b"), Finish(PEER)]


def test_nothing_is_released_while_the_other_side_is_slow() -> None:
    relay = relaying(LATE)
    relay.receive_data(UPSTREAM, b"b", 0.0)
    relay.receive_eof(UPSTREAM, 0.1)
    relay.writing_paused(PEER)
    assert settled(relay, relay.handle_timer(1.0), 1.0) == []
    assert relay.deadline > 1.0
    assert settled(relay, relay.writing_resumed(PEER, 2.0), 2.0) == [Pass(PEER, b"b"), Finish(PEER)]


def test_fin_waits_until_the_last_piece_is_in_the_kernel() -> None:
    relay = relaying(LATE)
    relay.receive_data(UPSTREAM, b"b", 0.0)
    relay.receive_eof(UPSTREAM, 0.1)
    assert list(relay.handle_timer(1.0)) == [Pass(PEER, b"b")]
    relay.writing_paused(PEER)  # the kernel has taken a part
    assert list(relay.next_acts(1.0)) == []
    assert settled(relay, relay.writing_resumed(PEER, 2.0), 2.0) == [Finish(PEER)]


def test_side_is_not_read_while_its_flow_is_full() -> None:
    relay = relaying(LATE)
    settled(relay, relay.receive_data(UPSTREAM, bytes(MAX_HELD), 0.0), 0.0)
    assert not relay.wants_read(UPSTREAM)
    assert relay.wants_read(PEER)
    settled(relay, relay.handle_timer(1.0), 1.0)
    assert relay.wants_read(UPSTREAM)


def test_truncate_closes_both_sides_in_order_and_passes_on_what_the_other_direction_holds() -> None:
    relay = relaying(truncate(2), from_peer=(LATE,))
    settled(relay, relay.receive_data(PEER, b"held", 0.0), 0.0)
    acts = settled(relay, relay.receive_data(UPSTREAM, b"abc", 0.0), 0.0)
    assert acts == [Pass(PEER, b"ab"), Pass(UPSTREAM, b"held"), Finish(PEER, cut=True), Finish(UPSTREAM)]


def test_truncate_by_reset_resets_both_sides() -> None:
    relay = relaying(truncate(2, by_reset=True))
    acts = settled(relay, relay.receive_data(UPSTREAM, b"abc", 0.0), 0.0)
    assert acts == [Pass(PEER, b"ab"), Abort(CloseReason.SERVER_RESET)]


def test_reset_ends_the_connection_although_a_side_is_slow() -> None:
    relay = relaying(fault(Reset(0.5)))
    settled(relay, relay.receive_data(UPSTREAM, b"abc", 0.0), 0.0)
    relay.writing_paused(PEER)
    assert settled(relay, relay.handle_timer(0.4), 0.4) == []
    assert relay.deadline == 0.5
    assert settled(relay, relay.handle_timer(0.5), 0.5) == [Abort(CloseReason.SERVER_RESET)]


def test_connection_is_not_idle_while_something_is_held() -> None:
    relay = relaying(fault(Latency(Fixed(15.0))))
    settled(relay, relay.receive_data(UPSTREAM, b"b", 0.0), 0.0)
    assert settled(relay, relay.handle_timer(10.0), 10.0) == []
    assert settled(relay, relay.handle_timer(15.0), 15.0) == [Pass(PEER, b"b")]


def test_removed_fault_releases_what_is_held_at_once() -> None:
    active = ActivePlan(ListenerPlan("it", "", relay_faults=((), (LATE,))))
    relay = Relay(active, 0.0, context)
    relay.connected(0.0)
    relay.receive_data(UPSTREAM, b"b", 0.0)
    active.plan = ListenerPlan("it", "")
    assert settled(relay, relay.plan_changed(0.1), 0.1) == [Pass(PEER, b"b")]


def test_fault_that_is_added_holds_for_what_arrives_from_then_on() -> None:
    active = ActivePlan(ListenerPlan("it", ""))
    relay = Relay(active, 0.0, context)
    relay.connected(0.0)
    active.plan = ListenerPlan("it", "", relay_faults=((LATE,), ()))
    assert settled(relay, relay.plan_changed(0.1), 0.1) == []
    assert settled(relay, relay.receive_data(PEER, b"a", 0.2), 0.2) == []
    assert settled(relay, relay.handle_timer(1.2), 1.2) == [Pass(UPSTREAM, b"a")]


def test_slow_close_delays_the_fin_of_its_direction() -> None:
    relay = relaying(fault(SlowClose(Fixed(2.0))))
    assert settled(relay, relay.receive_eof(PEER, 0.0), 0.0) == [Finish(UPSTREAM)]
    assert settled(relay, relay.receive_eof(UPSTREAM, 1.0), 1.0) == []
    assert relay.deadline == 3.0
    assert settled(relay, relay.handle_timer(3.0), 3.0) == [Finish(PEER), Close(CloseReason.PEER_EOF)]


def test_reset_applies_to_fin() -> None:
    relay = relaying(fault(Reset(0.0)))
    assert settled(relay, relay.receive_eof(UPSTREAM, 1.0), 1.0) == [Abort(CloseReason.SERVER_RESET)]


def test_blackhole_closes_both_sides_in_order() -> None:
    relay = relaying(fault(Blackhole(1.0)), from_peer=(LATE,))
    assert settled(relay, relay.receive_data(UPSTREAM, b"lost", 0.0), 0.0) == []
    settled(relay, relay.receive_data(PEER, b"held", 0.5), 0.5)
    assert relay.deadline == 1.0
    assert settled(relay, relay.handle_timer(1.0), 1.0) == [Pass(UPSTREAM, b"held"), Finish(PEER), Finish(UPSTREAM)]
    assert relay.state == "CLOSING"


def test_removed_blackhole_closes_the_connection() -> None:
    active = ActivePlan(ListenerPlan("it", "", relay_faults=((), (fault(Blackhole(0.0)),))))
    relay = Relay(active, 0.0, context)
    relay.connected(0.0)
    assert settled(relay, relay.receive_data(UPSTREAM, b"lost", 0.0), 0.0) == []
    active.plan = ListenerPlan("it", "")
    assert settled(relay, relay.plan_changed(0.1), 0.1) == [Finish(PEER), Finish(UPSTREAM)]


def test_connection_is_not_idle_while_a_hang_holds_bytes() -> None:
    relay = relaying(fault(Hang(0.0)))
    settled(relay, relay.receive_data(UPSTREAM, b"b", 0.0), 0.0)
    for time in (10.0, 20.0, 30.0):
        assert relay.deadline <= time
        assert settled(relay, relay.handle_timer(time), time) == []


def test_close_in_order_waits_for_no_pause_and_passes_on_what_is_held() -> None:
    relay = relaying(LATE)
    settled(relay, relay.receive_data(UPSTREAM, b"held", 0.0), 0.0)
    assert settled(relay, relay.close_in_order(0.1), 0.1) == [Pass(PEER, b"held"), Finish(PEER), Finish(UPSTREAM)]
    assert list(relay.close_in_order(0.2)) == []
