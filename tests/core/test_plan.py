from copy import copy
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching, patterns, selection, steps
from answerback.core.actions import Send
from answerback.core.context import RequestContext
from answerback.core.plan import ActivePlan, JournalBounds, ListenerPlan, Replies, Rule, WhenExhausted
from answerback.core.reply_cache import MAX_ENTRIES, MAX_KEY_BYTES, CachedReply
from answerback.core.selection import Rules, Selector
from answerback.core.steps import Step
from tests.core.playbook import Account

requests = st.sampled_from([b"", b"a", b"b", b"ab", b"ba"])


def equal(literal: bytes) -> Rule:
    return Rule("", 0, (), matching.equals(literal), literal)


rules = st.one_of(
    requests.map(equal),
    requests.map(lambda literal: Rule("", 0, (), matching.prefix(literal))),
    requests.map(lambda literal: Rule("", 0, (), matching.none_of(matching.equals(literal)))),
    st.just(Rule("", 0, ())).map(lambda _: Rule("", 0, ())),
)


class Asker(RequestContext):
    """A context in which every counted rule may match this number of times more."""

    def __init__(self, left: int = 0) -> None:
        super().__init__("it", None, Account())
        self.left = left

    def next_number(self, _cell: int, _max_numbers: int, _window_seconds: float = 0.0, /) -> int | None:
        self.left -= 1
        return 0 if self.left >= 0 else None


def in_parts(selector: Selector, request: bytes, turn: RequestContext) -> Rule | None:
    """What a search in parts finds."""
    search = selector.search_in_parts(request, turn)
    while True:
        try:
            next(search)
        except StopIteration as found:
            return cast("Rule | None", found.value)


def select(written: list[Rule], request: bytes, turn: Asker | None = None) -> Rule | None:
    selector, asked = Selector(written), turn or Asker()
    again = copy(asked)
    found = selector.search(request, asked)
    assert in_parts(selector, request, again) is found
    if selector.look_up is not None:
        assert selector.look_up(request) is found
    return found


@given(st.lists(rules, max_size=8), requests)
def test_first_matching_rule_in_the_order_written_is_selected(written: list[Rule], request_bytes: bytes) -> None:
    turn = Asker()
    first = next((rule for rule in written if rule.matches is None or rule.matches(request_bytes, turn)), None)
    assert select(written, request_bytes) is first


def test_selector_without_rules_matches_nothing() -> None:
    assert select([], b"x") is None


def test_rule_table_does_not_grow_with_lookups() -> None:
    selector = Selector([equal(b"a")])
    assert selector.look_up is not None
    for number in range(1000):
        assert selector.look_up(b"%d" % number) is None
    assert len(selector.look_up.__self__) == 1  # type: ignore[attr-defined]


def test_reply_memory_of_a_plan_is_bounded() -> None:
    answering = Rule("", 7, (Send(b"yes"),))
    selector = Selector([answering])
    for number in range(3 * MAX_ENTRIES):
        selector.reply_cache.store(b"%d" % number, 1, answering)
        assert selector.reply_cache.entries[b"%d" % number] is None
        selector.reply_cache.store(b"%d" % number, 1, answering)
        assert len(selector.reply_cache.entries) <= MAX_ENTRIES
    assert selector.reply_cache.entries[b"%d" % number] == CachedReply((Send(b"yes"),), 1, 7)
    selector.reply_cache.store(bytes(MAX_KEY_BYTES + 1), 1, answering)
    assert bytes(MAX_KEY_BYTES + 1) not in selector.reply_cache.entries


def test_reply_memory_keeps_constant_replies_only() -> None:
    echoing = Rule("", 7, (steps.echo(),))
    selector = Selector([echoing])
    selector.reply_cache.store(b"a", 1, echoing)
    assert not selector.reply_cache.entries


def fail(_request: bytes, _turn: RequestContext) -> bool:
    raise AssertionError


def test_rules_after_one_that_matches_everything_are_not_tried() -> None:
    everything = Rule("", 0, ())
    assert select([everything, Rule("", 0, (), fail)], b"x") is everything


def test_rules_after_an_equal_one_are_not_tried() -> None:
    exact = equal(b"x")
    assert select([exact, Rule("", 0, (), fail)], b"x") is exact


@given(
    st.lists(st.sampled_from(["^a", "b$", "a.b", "(x)", "^$"]), min_size=8, max_size=20), st.integers(0, 19), requests
)
def test_pattern_sets_select_the_same_rule_as_one_by_one(patterns: list[str], place: int, request_bytes: bytes) -> None:
    written = [Rule("", 0, (), matching.regex(pattern), pattern=pattern) for pattern in patterns]
    written.insert(place % len(written), equal(b"ba"))
    turn = Asker()
    first = next((rule for rule in written if rule.matches is not None and rule.matches(request_bytes, turn)), None)
    assert select(written, request_bytes) is first


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["^a", "b$", "a.b", "(x)", "^$", "(b)"]), st.sampled_from(["send", "echo", "counted"])
        ),
        min_size=8,
        max_size=20,
    ),
    st.integers(0, 30),
    st.integers(0, 3),
    requests,
)
def test_pattern_rules_of_any_kind_select_the_same_and_have_their_captures(
    written: list[tuple[str, str]], end: int, left: int, request_bytes: bytes
) -> None:
    """Captures are set for steps that need them; rules after one that matches everything are never reached."""
    kinds: dict[str, dict[str, Any]] = {"send": {}, "echo": {"steps": (steps.echo(),)}, "counted": {"times": 1}}
    rules = [
        Rule(str(number), 0, matches=matching.regex(one), pattern=one, **kinds[kind])
        for number, (one, kind) in enumerate(written)
    ]
    rules.insert(end, Rule("everything", 0))
    apart = [replace(rule, pattern=None) for rule in rules]
    turn, plain = Asker(left), Asker(left)
    found, expected = select(rules, request_bytes, turn), select(apart, request_bytes, plain)
    assert found is not None
    assert expected is not None
    assert (found.name, turn.left) == (expected.name, plain.left)
    if found.reply is None and found.matches is not None:
        assert turn.captures is not None


def test_counted_rule_is_skipped_after_its_maximum() -> None:
    counted, otherwise = Rule("", 0, times=2), Rule("", 0)
    turn = Asker(left=2)
    assert [select([counted, otherwise], b"x", turn) for _ in range(3)] == [counted, counted, otherwise]


def test_counted_rule_that_does_not_match_is_not_counted() -> None:
    counted = Rule("", 0, (), matching.equals(b"a"), b"a", times=1)
    turn = Asker(left=1)
    assert select([counted], b"b", turn) is None
    assert select([counted], b"a", turn) is counted


def test_state_selects_its_own_rules_and_those_of_all_states() -> None:
    inside, anywhere, out = Rule("", 0, in_states=("in",)), Rule("", 0), Rule("", 0, in_states=("out", "in"))
    rules_in_states = Rules([out, inside, anywhere])
    chosen = {state: rules_in_states.selector_for(state).search(b"", Asker()) for state in ("", "in", "out", "other")}
    assert chosen == {"": anywhere, "in": out, "out": out, "other": anywhere}


@pytest.mark.parametrize(
    "then,most",
    [(WhenExhausted.REPEAT_LAST, 0), (WhenExhausted.CYCLE, 0), (WhenExhausted.RANDOM, 0), (WhenExhausted.NEXT_RULE, 2)],
)
def test_rule_most_matches_follow_times_and_replies(then: WhenExhausted, most: int) -> None:
    replies = Replies(((), ()), then)
    assert Rule("", 0, replies=replies).max_matches == most
    assert Rule("", 0, times=1, replies=replies).max_matches == 1


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
def test_constant_reply_is_precomputed(taken: tuple[Step, ...], reply: Send | None) -> None:
    assert Rule("", 0, taken).reply == reply


def test_active_plan_change_is_seen_by_all_holders() -> None:
    first, second = ListenerPlan("a", ""), ListenerPlan("a", "")
    active = ActivePlan(first)
    seen = active
    active.plan = second
    assert seen.plan is second


def test_plan_defaults_are_those_of_the_documentation() -> None:
    limits = ListenerPlan("a", "").limits
    assert (limits.idle_timeout, limits.request_timeout, limits.write_timeout) == (300, 30, 30)
    assert (limits.lifetime, limits.max_request_bytes) == (float("inf"), 1 << 20)
    assert (limits.max_connections, limits.max_connections_per_peer) == (0, 0)
    assert limits.max_request_bytes == patterns.DEFAULT_REQUEST_BYTES


@pytest.mark.parametrize("place", range(9))
@pytest.mark.parametrize("kind", ["send", "echo", "counted"])
def test_equality_rule_is_tried_in_its_place_among_patterns(place: int, kind: str) -> None:
    """Eight patterns that all match what it is equal to: those before it go first, those behind it never."""
    kinds: dict[str, dict[str, Any]] = {"send": {}, "echo": {"steps": (steps.echo(),)}, "counted": {"times": 1}}
    patterns = [
        Rule(f"pattern {number}", 0, matches=matching.regex("b"), pattern="b", **kinds[kind]) for number in range(8)
    ]
    for first in range(9):  # of those before the equality, these match
        written = [
            rule if number >= first else replace(rule, matches=matching.regex("^c"), pattern="^c")
            for number, rule in enumerate(patterns)
        ]
        written.insert(place, replace(equal(b"ba"), name="equal"))
        found = select(written, b"ba", Asker(left=1))
        assert found is not None
        assert found.name == ("equal" if first >= place else f"pattern {first}")


def test_patterns_in_many_states_are_searched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each state would have sets of its own, which take time to compile and memory."""
    monkeypatch.setattr(selection, "MAX_PATTERNS_IN_SETS", 27)
    named = [Rule(f"{number}", 0, (), matching.regex(f"a{number}"), pattern=f"a{number}") for number in range(9)]
    in_two = [replace(each, in_states=("one", "two")) for each in named]
    in_three = [replace(each, in_states=("one", "two", "three")) for each in named]
    assert Rules(in_two).selector_for("one")._sets is not None
    assert Rules(in_three).selector_for("one")._sets is None
    for rules in (Rules(in_two), Rules(in_three)):
        found = rules.selector_for("one").search(b"xa7", Asker())
        assert found is not None
        assert found.name == "7"


@pytest.mark.parametrize("also_exact", [False, True])
@pytest.mark.parametrize("request_bytes", [b"x" * 20 + b"k7", b"x" * 20 + b"none"])
def test_request_too_long_for_the_sets_is_searched_one_by_one(
    also_exact: bool, request_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_pattern(text: str) -> Rule:
        return Rule(text, 0, (steps.send(b"ok"),), matching.regex(text), pattern=text)

    written = [by_pattern(f"k{number}$") for number in range(20)]
    if also_exact:
        written.insert(3, Rule("", 0, (), matching.prefix(b"nothing like it")))
    selector = Selector(written)
    assert selector._sets is not None
    turn = Asker()
    found = selector.search(request_bytes, turn)
    assert (found.name if found else "") == ("k7$" if request_bytes.endswith(b"7") else "")
    selector._sets.longest = len(request_bytes) - 1
    monkeypatch.setattr(type(selector._sets), "matching", fail)
    monkeypatch.setattr(type(selector._sets), "matching_in_parts", fail)
    assert selector.search(request_bytes, turn) is found
    assert in_parts(selector, request_bytes, turn) is found


def test_journal_keeps_10000_entries_and_64_mib_unless_configured() -> None:
    assert JournalBounds() == JournalBounds(entries=10_000, bytes=67_108_864, body_bytes=65_536)


@pytest.mark.parametrize("workers, share", [(1, (7, 100)), (2, (3, 50)), (3, (2, 33)), (8, (1, 12))])
def test_workers_share_the_bounds_of_the_journal(workers: int, share: tuple[int, int]) -> None:
    assert JournalBounds(7, 100, 9).share(workers) == JournalBounds(*share, 9)
