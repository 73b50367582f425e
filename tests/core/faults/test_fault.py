"""When faults apply, and how several faults combine."""

from dataclasses import replace
from itertools import pairwise, product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import steps
from answerback.core.actions import Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.core.bounded_counter import CountedFor
from answerback.core.context import RequestContext
from answerback.core.delays import Exponential, Fixed, Uniform
from answerback.core.expressions import TooLongError
from answerback.core.faults import Bandwidth, Corrupt, Drop, Fault, Hang, Latency, Slice, SlowClose, Truncate
from answerback.core.faults import Reset as Resetting
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from tests.core.faults.faulty import conversation, fault, plan, rule, without_faults
from tests.core.plans import template
from tests.core.playbook import Playbook, Somewhere, after, connected, drain, eof


def struck(target: Fault, replies: int, connections: int = 1, seed: int = 1) -> str:
    """Which of the replies are dropped by a fault, over connections that take turns: `-X--`."""
    connection = Somewhere(chance=Random(seed))
    books = [Playbook(plan(target), connection=connection) for _ in range(connections)]
    found = ""
    for number in range(replies):
        book = books[number % connections] >> b"x\n"
        found += "-" if book.heard else "X"
        book.unheard()
    return found


@pytest.mark.parametrize(
    "when, pattern",
    [
        ({}, "XXXXXXXX"),
        ({"skip": 3}, "---XXXXX"),
        ({"times": 2}, "XX------"),
        ({"every": 3}, "--X--X--"),
        ({"skip": 1, "times": 2}, "-XX-----"),
        ({"skip": 2, "every": 2}, "---X-X-X"),
        ({"skip": 1, "every": 2, "times": 2}, "--X-X---"),
    ],
)
@pytest.mark.parametrize("connections", [1, 3])
def test_fault_conditions_select_the_struck_replies(when: dict[str, Any], pattern: str, connections: int) -> None:
    assert struck(fault(Drop(), **when), 8, connections) == pattern


def test_fault_per_connection_counts_connections() -> None:
    assert struck(fault(Drop(), per_connection=True, scope=CountedFor.CONNECTION, skip=1, times=1), 8, 2) == "--XX----"


@pytest.mark.parametrize(
    "per_connection, scope, when, pattern",
    [
        # Four connections take turns: two of one peer, two of another.
        (False, CountedFor.CONNECTION, {"skip": 1, "times": 1}, "----XXXX----"),
        (False, CountedFor.CONNECTION, {"every": 2}, "----XXXX----"),
        (False, CountedFor.PEER, {"skip": 1, "times": 2}, "--XXXX------"),
        (False, CountedFor.PEER, {"every": 2}, "--XX--XX--XX"),
        (True, CountedFor.LISTENER, {"skip": 1, "times": 2}, "-XX--XX--XX-"),
        (True, CountedFor.LISTENER, {"every": 2}, "-X-X-X-X-X-X"),
        (True, CountedFor.PEER, {"times": 1}, "XX--XX--XX--"),
        (True, CountedFor.PEER, {"every": 2}, "--XX--XX--XX"),
    ],
)
def test_fault_counts_for_its_scope_what_its_target_is(
    per_connection: bool, scope: CountedFor, when: dict[str, Any], pattern: str
) -> None:
    target = plan(fault(Drop(), per_connection=per_connection, scope=scope, **when))
    connection = Somewhere()
    peers = ["192.0.2.1", "192.0.2.2"] * 2
    books = [Playbook(target, connection=replace_peer(connection, peer)) for peer in peers]
    found = ""
    for book in books * 3:
        book >> b"x\n"
        found += "-" if book.heard else "X"
        book.unheard()
    assert found == pattern


def replace_peer(connection: Somewhere, peer: str) -> Somewhere:
    """A connection from another address, which counts with the first one."""
    other = Somewhere(peer=(peer, 40000))
    other.counters, other.peer_counters = connection.counters, connection.peer_counters
    return other


def test_fault_per_connection_counted_for_the_listener_draws_once_and_keeps_what_it_has_sent() -> None:
    target = fault(Truncate(3, by_reset=False), per_connection=True, scope=CountedFor.LISTENER, times=1)
    connection = Somewhere()
    struck_one, spared = (Playbook(plan(target), connection=connection) for _ in range(2))
    struck_one >> b"x\n" << Send(b"x")
    spared >> b"hello\n" << Send(b"hello, world\n")
    struck_one >> b"hello\n" << Send(b"he") << HalfClose()
    found = struck(fault(Drop(), probability=0.5, per_connection=True, times=4), 60, 20)
    assert found == found[:20] * 3
    assert found[:20].count("X") == 4


def test_fault_with_probability_strikes_at_its_rate_and_by_seed() -> None:
    found = struck(fault(Drop(), probability=0.25), 2000)
    assert 420 < found.count("X") < 580
    assert found == struck(fault(Drop(), probability=0.25), 2000)
    assert found != struck(fault(Drop(), probability=0.25), 2000, seed=2)


def test_fault_with_probability_and_times_strikes_that_many_times() -> None:
    assert struck(fault(Drop(), probability=0.5, times=3), 200).count("X") == 3


def test_fault_per_connection_draws_once_for_each_connection() -> None:
    found = struck(fault(Drop(), probability=0.5, per_connection=True, scope=CountedFor.CONNECTION), 60, 20)
    assert found == found[:20] * 3
    assert 0 < found[:20].count("X") < 20


def test_fault_with_times_counts_only_replies_it_changes() -> None:
    conversation(fault(Drop(), times=1)) >> b"nothing\nhello\nhello\n" << Send(b"hello, world\n")


def test_faults_apply_in_the_order_written() -> None:
    conversation(Drop(), Truncate(0, by_reset=True)) >> b"hello\n"
    conversation(Truncate(0, by_reset=True), Drop()) >> b"hello\n" << Reset(CloseReason.SERVER_RESET)
    book = conversation(Latency(Fixed(1)), Resetting(0.5)) >> b"hello\n" >> after(0.5)
    book << Reset(CloseReason.SERVER_RESET)


def test_steps_after_a_delayed_send_run_after_it() -> None:
    seen: list[float] = []
    book = conversation(Slice(1, 0, 1), Latency(Fixed(1)))

    def look(_turn: RequestContext) -> None:
        seen.append(book.now - 1000)

    script = (
        steps.set_variable("a", b"1"),
        steps.send(template("${vars.a}")),
        look,
        steps.set_variable("a", b"2"),
        steps.send(template("${vars.a}")),
    )
    book.active.plan = replace(plan(Slice(1, 0, 1), Latency(Fixed(1))), on_request=Rules([rule(*script)]))
    book >> b"x\n" >> after(1) << Send(b"1") >> after(1) << Send(b"2")
    assert seen == [1]


def test_template_too_large_behind_a_fault_closes_the_connection() -> None:
    def endless(_turn: RequestContext) -> None:
        raise TooLongError

    target = replace(plan(Latency(Fixed(1))), on_request=Rules([rule(endless, steps.send(b"never"))]))
    Playbook(target) >> b"x\n" >> after(1) << HalfClose() >> eof << Close(CloseReason.REPLY_TOO_LARGE)


def test_faults_strike_replies_to_every_event() -> None:
    say = rule(steps.send(b"hi"))
    target = plan(
        Latency(Fixed(1)), on_connect=say, on_idle=say, on_eof=say, on_drain=say, limits=Limits(idle_timeout=5)
    )
    book = Playbook(target) >> connected >> after(1) << Send(b"hi") >> after(6) << Send(b"hi")
    book >> eof >> after(1) << Send(b"hi") << Close(CloseReason.PEER_EOF)
    assert len(book.account.strikes) == 3
    Playbook(target) >> drain >> after(1) << Send(b"hi") << HalfClose()


def test_plan_without_faults_draws_and_counts_nothing() -> None:
    """What is switched off is in no plan: nothing is drawn, nothing counted."""
    connection = Somewhere(chance=Random(5))
    book = Playbook(plan(), connection=connection) >> b"hello\n" << Send(b"hello, world\n")
    assert connection.chance.getstate() == Random(5).getstate()
    assert book.session.context._rare is None
    assert not connection.counters.counts


def test_changed_faults_apply_from_the_next_request() -> None:
    book = conversation(Latency(Fixed(2))) >> b"abc\nabc\n" >> after(1)
    book.active.plan = plan(Drop())
    book >> after(1) << Send(b"a") >> after(2) << Send(b"bc") >> after(10)
    book.silent()
    book.active.plan = without_faults(book.active.plan)
    book >> b"hello\n" << Send(b"hello, world\n")


def test_changed_fault_per_connection_draws_again() -> None:
    never = fault(Drop(), per_connection=True, scope=CountedFor.CONNECTION, probability=1e-9)
    book = conversation(never) >> b"x\n" << Send(b"x")
    book.active.plan = plan(replace(never, probability=1.0))
    (book >> b"x\n").silent()


def test_constant_reply_of_a_faulted_rule_is_not_precomputed() -> None:
    assert Rule("", 0, (steps.send(b"x"),)).reply == Send(b"x")
    assert Rule("", 0, (steps.send(b"x"),), has_faults=True).reply is None


ALL = (
    fault(Latency(Exponential(0.2)), probability=0.7, counter=100),
    fault(Bandwidth(500), "b", every=2, counter=102),
    fault(Slice(3, 2, 0.05), "s", skip=1, counter=104),
    fault(Corrupt(2), "c", probability=0.5, counter=106),
    fault(Drop(), "d", probability=0.1, per_connection=True, scope=CountedFor.CONNECTION, counter=108),
    fault(
        Truncate(60, by_reset=False),
        "k",
        per_connection=True,
        scope=CountedFor.CONNECTION,
        probability=0.5,
        counter=110,
    ),
    fault(Hang(1), "h", probability=0.05, counter=112),
    fault(Resetting(0.5), "r", probability=0.05, counter=114),
    fault(SlowClose(Uniform(0.1, 2)), "f", counter=116),
)


def played(target: ListenerPlan, pieces: list[bytes], seed: int) -> tuple[list[tuple[float, Action]], list[int]]:
    """Everything that comes of a stream, with its times; bytes sent at once are one send."""
    book = Playbook(target, connection=Somewhere(chance=Random(seed)))
    for piece in pieces:
        if not book.session.over:
            book >> piece
            book.unheard()
    if not book.session.over:
        book >> eof
        book.unheard()
        book >> after(5000)
        book.unheard()
    together: list[tuple[float, Action]] = []
    for when, action in book.transcript:
        before = together[-1] if together else (0.0, HalfClose())
        if isinstance(action, Send) and isinstance(before[1], Send) and before[0] == when:
            together[-1] = when, Send(bytes(before[1].data) + action.data)
        else:
            together.append((when, action))
    return together, book.account.strikes


WORDS = [b"hello\n", b"abc\n", b"quit\n", b"nothing\r\n", b"dribble\n", b"take\n", b"\xff\x00\n", b"xx"]


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sets(st.integers(0, 60)), st.integers(0, 1000))
def test_faults_strike_alike_however_the_stream_is_cut(words: list[bytes], cuts: set[int], seed: int) -> None:
    stream = b"".join(words)
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(stream)), len(stream)]
    whole = played(plan(*ALL), [stream] if stream else [], seed)
    assert played(plan(*ALL), [stream[a:b] for a, b in pairwise(places) if a < b], seed) == whole
    assert played(plan(*ALL), [bytes((byte,)) for byte in stream], seed) == whole


def test_same_seed_and_conversation_give_the_same_faults() -> None:
    stream = [b"hello\nabc\ndribble\nhello\nquit\n"]
    found = [played(plan(*ALL), stream, seed) for seed in range(20)]
    assert found == [played(plan(*ALL), stream, seed) for seed in range(20)]
    assert any(one != found[0] for one in found)


@pytest.mark.parametrize("per_connection, scope", [*product([False], CountedFor), (True, CountedFor.CONNECTION)])
def test_fault_with_a_window_applies_again_after_its_end(per_connection: bool, scope: CountedFor) -> None:
    connection = Somewhere()
    timed = fault(Drop(), times=1, window_seconds=10.0, skip=1, per_connection=per_connection, scope=scope)
    book = Playbook(plan(timed), connection=connection)
    connection.clock = lambda: book.now

    def dropped() -> bool:
        book >> b"x\n"
        heard = list(book.heard)
        book.unheard()
        return not heard

    assert [dropped() for _ in range(3)] == [False, True, False]
    book >> after(9.999)
    assert not dropped()
    book >> after(0.001)
    assert [dropped() for _ in range(2)] == [True, False], "`skip` is for the first reply of all"


def test_fault_of_rules_applies_to_the_replies_of_these_alone() -> None:
    of_rule = fault(Drop(), rules=frozenset({"rule"}), times=2)
    of_another = fault(Truncate(1, by_reset=True), "other", 8, 104, rules=frozenset({"another"}))
    book = Playbook(plan(of_rule, of_another)) >> b"x\nx\n"
    book.silent() >> b"x\n" << Send(b"x")
    assert book.account.strikes == [7, 7]


def test_fault_of_rules_does_not_apply_to_a_close_without_a_rule() -> None:
    late = fault(SlowClose(Fixed(5)), rules=frozenset({"rule"}))
    book = Playbook(plan(late)) >> b"close\n"
    book.silent() >> after(5) << HalfClose() >> eof << Close(CloseReason.SERVER_CLOSE)
    Playbook(plan(late)) >> eof << Close(CloseReason.PEER_EOF)
