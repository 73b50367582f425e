import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching, steps
from answerback.core.actions import Send
from answerback.core.plan import ListenerPlan, PlanInForce, Rule, Selector
from answerback.core.steps import Step

requests = st.sampled_from([b"", b"a", b"b", b"ab", b"ba"])


def equal(literal: bytes) -> Rule:
    return Rule("", 0, (), matching.equals(literal), literal)


rules = st.one_of(
    requests.map(equal),
    requests.map(lambda literal: Rule("", 0, (), matching.prefix(literal))),
    requests.map(lambda literal: Rule("", 0, (), matching.none_of(matching.equals(literal)))),
    st.just(Rule("", 0, ())).map(lambda _: Rule("", 0, ())),
)


@given(st.lists(rules, max_size=8), requests)
def test_the_first_rule_that_matches_acts_in_the_order_written(written: list[Rule], request_bytes: bytes) -> None:
    first = next((rule for rule in written if rule.matches is None or rule.matches(request_bytes)), None)
    assert Selector(written).select(request_bytes) is first


def test_without_rules_nothing_matches() -> None:
    assert Selector(()).select(b"x") is None


def test_a_table_does_not_grow_with_what_it_is_asked() -> None:
    selector = Selector([equal(b"a")])
    for number in range(1000):
        assert selector.select(b"%d" % number) is None
    assert len(selector.select.__self__) == 1  # type: ignore[attr-defined]


def test_rules_behind_one_that_matches_everything_are_not_tried() -> None:
    def fail(_request: bytes) -> bool:
        raise AssertionError

    everything = Rule("", 0, ())
    assert Selector([everything, Rule("", 0, (), fail)]).select(b"x") is everything


def test_rules_behind_the_one_that_is_equal_are_not_tried() -> None:
    def fail(_request: bytes) -> bool:
        raise AssertionError

    exact = equal(b"x")
    assert Selector([exact, Rule("", 0, (), fail)]).select(b"x") is exact


REPLIES = [
    ((), Send(b"")),
    ((steps.send(b"a"),), Send(b"a")),
    ((steps.send(b"a"), steps.send(b"b")), Send(b"ab")),
    ((steps.send(b"a"), steps.close()), None),
    ((steps.delay_fixed(0), steps.send(b"a")), None),
    ((steps.echo(),), None),
    ((steps.discard(),), None),
]


@pytest.mark.parametrize("taken, reply", REPLIES)
def test_a_reply_that_is_always_the_same_is_made_once(taken: tuple[Step, ...], reply: Send | None) -> None:
    assert Rule("", 0, taken).reply == reply


def test_changing_what_is_in_force_changes_it_for_all() -> None:
    first, second = ListenerPlan("a", ""), ListenerPlan("a", "")
    in_force = PlanInForce(first)
    seen = in_force
    in_force.plan = second
    assert seen.plan is second


def test_a_plan_says_what_the_documents_say_of_its_defaults() -> None:
    limits = ListenerPlan("a", "").limits
    assert (limits.idle_timeout, limits.request_timeout, limits.write_timeout) == (300, 30, 30)
    assert (limits.lifetime, limits.max_request_bytes) == (float("inf"), 1 << 20)
    assert (limits.max_connections, limits.max_connections_per_peer) == (0, 0)
