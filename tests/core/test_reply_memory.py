"""Cached replies: they are used only where the same bytes mean the same."""

import pytest

from answerback.core import matching, steps
from answerback.core.actions import Send
from answerback.core.bounded_counter import CountedFor
from answerback.core.context import RequestContext
from answerback.core.framing import Delimiter, Framing, Http, Line, Pattern, Read, Resp
from answerback.core.matching.effort import Effort, with_effort
from answerback.core.plan import ListenerPlan, Rule
from answerback.core.reply_cache import (
    ENTRY_BYTES,
    MAX_CACHE_BYTES,
    MAX_ENTRIES,
    MAX_KEY_BYTES,
    CachedReply,
    ReplyCache,
    RuleCache,
)
from answerback.core.selection import MIN_CACHED_WEIGHT, Selector
from tests.core.plans import plan, rule, say, size, template
from tests.core.playbook import Playbook, after


def remembered(book: Playbook, data: bytes) -> bool:
    """Whether the reply to these bytes is remembered by the selector in use."""
    return book.session.conversation.selector.reply_cache.entries.get(data) is not None


def heard_twice(book: Playbook, data: bytes, reply: bytes) -> Playbook:
    """Have the reply remembered: the first time it is noted, the second time kept."""
    for _ in range(2):
        book >> data << Send(reply)
    assert remembered(book, data)
    return book


def test_new_plan_replaces_cached_replies() -> None:
    book = heard_twice(Playbook(plan(rule(say(b"old")))), b"a\n", b"old")
    old = book.session.conversation.selector
    book.active.plan = plan(rule(say(b"new"), place=1))
    book >> b"a\n" << Send(b"new")
    assert book.account.rules == [0, 0, 1]
    assert book.session.conversation.selector is not old
    heard_twice(book, b"a\n", b"new")


def test_new_plan_without_rules_does_not_use_cached_replies() -> None:
    book = heard_twice(Playbook(plan(rule(say(b"old")))), b"a\n", b"old")
    book.active.plan = plan()
    book >> b"a\n"
    assert book.silent().account.unmatched_requests == 1


def test_cached_reply_counts_each_request_under_its_rule() -> None:
    book = heard_twice(
        Playbook(plan(rule(say(b"no"), when=b"x"), rule(say(b"yes"), place=5))), b"a\nb\nc\n", b"yes" * 3
    )
    book >> b"a\nb\nc\n" << Send(b"yes" * 3)
    assert book.account.rules == [5] * 9
    assert len(book.account.durations) == 9
    assert book.session.number == 9


def test_cached_request_waits_while_writing_is_paused() -> None:
    book = heard_twice(Playbook(plan(rule(say(b"12345678")))), b"a\n", b"12345678")
    book.room = 4
    book >> b"a\n" << Send(b"12345678")  # the kernel takes half of it
    book >> b"a\n"
    assert book.silent().account.rules == [0] * 3
    book.read() << Send(b"12345678")
    assert book.account.rules == [0] * 4


def test_cached_request_waits_for_the_reply_in_progress() -> None:
    slow = rule(steps.delay_fixed(1), say(b"late"), when=b"slow")
    book = heard_twice(Playbook(plan(slow, rule(say(b"fast")))), b"a\n", b"fast")
    book >> b"slow\n" >> b"a\n"
    book.silent() >> after(1) << Send(b"latefast")


def test_cached_request_is_received_by_a_receive_step() -> None:
    taking = rule(steps.receive(Line(keep_ending=False), "x"), say(b"taken"), when=b"take")
    book = heard_twice(Playbook(plan(taking, rule(say(b"fast")))), b"a\n", b"fast")
    book >> b"take\n"
    book.silent() >> b"a\n" << Send(b"taken")


def test_remembered_request_bytes_can_complete_a_half_request() -> None:
    book = heard_twice(Playbook(plan(rule(steps.echo(), when=b"xa"), rule(say(b"no")))), b"a\n", b"no")
    book >> b"x"
    book.silent() >> b"a\n" << Send(b"xa")


def test_bytes_under_another_framing_do_not_use_the_cache() -> None:
    """`frame` has another framing cut what follows: the same bytes are other requests there."""
    switch = rule(steps.set_framing(Read(1024)), when=b"raw")
    book = heard_twice(Playbook(plan(switch, rule(say(b".")))), b"a\nb\n", b"..")
    book >> b"raw\n"
    for _ in range(3):
        book >> b"a\nb\n" << Send(b".")  # one read, one request
        book.silent()
    for _ in range(3):
        book >> b"c\nd\n" << Send(b".")
        book.silent()
    assert not remembered(book, b"c\nd\n")


def test_bytes_under_a_framing_for_one_request_are_not_cached() -> None:
    """On another connection the same bytes are cut by the listener's framing."""
    once = rule(steps.set_framing_of_size(size("4")), say(b"?"), when=b"raw")
    target = plan(once, rule(say(b".")))
    first = Playbook(target)
    for _ in range(3):
        first >> b"raw\n" << Send(b"?")
        first >> b"a\nb\n" << Send(b".")
        first.silent()
    assert not remembered(first, b"a\nb\n")
    Playbook(target) >> b"a\nb\n" << Send(b"..")


def test_remembered_reply_is_not_given_in_another_state() -> None:
    to = rule(steps.state("in"), when=b"enter")
    inside, outside = rule(say(b"in"), in_states=("in",), place=1), rule(say(b"out"))
    book = heard_twice(Playbook(plan(to, inside, outside)), b"a\n", b"out")
    book >> b"enter\n" >> b"a\n" << Send(b"in")
    assert book.account.rules[-1] == 1


def test_counted_rule_is_not_cached() -> None:
    book = Playbook(plan(rule(say(b"first"), times=3), rule(say(b"later"))))
    for reply in (b"first", b"first", b"first", b"later", b"later"):
        book >> b"a\n" << Send(reply)


def test_requests_matched_by_two_rules_are_not_cached_together() -> None:
    book = Playbook(plan(rule(say(b"A"), when=b"a"), rule(say(b"*"), place=1)))
    for _ in range(3):
        book >> b"a\nb\n" << Send(b"A*")
    assert book.account.rules == [0, 1] * 3
    for _ in range(3):
        book >> b"b\na\n" << Send(b"*A")
    assert not remembered(book, b"a\nb\n")
    assert not remembered(book, b"b\na\n")


def test_requests_of_which_one_is_unmatched_are_not_cached() -> None:
    book = Playbook(plan(rule(say(b"A"), when=b"a")))
    for _ in range(3):
        book >> b"a\nb\n" << Send(b"A")
    assert (len(book.account.rules), book.account.unmatched_requests) == (3, 3)


def test_requests_followed_by_an_incomplete_one_are_not_cached() -> None:
    book = Playbook(plan(rule(steps.echo(), when=b"ha"), rule(say(b"."))))
    book >> b"a\nh" << Send(b".")
    book >> b"a\nh" << Send(b"ha")
    book >> b"a\nh" << Send(b"ha")
    assert not remembered(book, b"a\nh")


def test_reply_with_captures_is_not_cached() -> None:
    pattern = Rule("", 0, (say(b"yes"),), matching.regex("^(.)"), pattern="^(.)")
    book = Playbook(plan(pattern, rule(say(b"no"))))
    for _ in range(3):
        book >> b"a\n" << Send(b"yes")
    assert not remembered(book, b"a\n")


def test_rule_without_a_reply_is_cached() -> None:
    book = Playbook(plan(rule(steps.discard(), when=b"x"), rule(place=3)))
    for _ in range(3):
        book >> b"a\n"
        assert all(action == Send(b"") for action in book.heard)
        book.heard.clear()
    assert book.account.rules == [3] * 3
    assert len(book.account.durations) == 3


def test_reply_cache_is_cleared_beyond_its_maximum_of_entries() -> None:
    answering = Rule("", 7, (Send(b"yes"),))
    selector = Selector([answering])
    for number in range(MAX_ENTRIES):
        selector.reply_cache.store(b"%d" % number, 1, answering)
    assert len(selector.reply_cache.entries) == MAX_ENTRIES
    selector.reply_cache.store(b"0", 1, answering)
    assert len(selector.reply_cache.entries) == MAX_ENTRIES, "one that is known needs no more room"
    assert selector.reply_cache.entries[b"0"] == CachedReply((Send(b"yes"),), 1, 7)
    selector.reply_cache.store(b"one more", 1, answering)
    assert list(selector.reply_cache.entries) == [b"one more"]


def test_requests_longer_than_the_maximum_are_not_cached() -> None:
    answering = Rule("", 7, (Send(b"yes"),))
    selector = Selector([answering])
    selector.reply_cache.store(bytes(MAX_KEY_BYTES), 1, answering)
    selector.reply_cache.store(bytes(MAX_KEY_BYTES + 1), 1, answering)
    assert list(selector.reply_cache.entries) == [bytes(MAX_KEY_BYTES)]


@pytest.mark.parametrize("rules", [[], [rule(say(b"A"), when=b"x")]], ids=["no rule", "another rule"])
def test_unmatched_requests_are_cached(rules: list[Rule]) -> None:
    book = Playbook(plan(*rules))
    for number in range(1, 4):
        book >> b"a\nb\n"
        assert book.silent().account.unmatched_requests == 2 * number
        assert remembered(book, b"a\nb\n") is (number > 1)
        assert len(book.account.durations) == 2 * number
        assert book.session.number == 2 * number
    assert book.account.rules == []
    book >> b"a\n"
    assert book.silent().account.unmatched_requests == 7


def slow(tried: list[bytes], *, pure: bool = True, holds: bool = False, taken: steps.Step = None) -> list[Rule]:
    """Rules that take long to search, so that what they find is remembered, if the bytes alone decide."""

    def matches(request: bytes, _turn: RequestContext) -> bool:
        tried.append(request)
        return holds

    matcher = with_effort(matches, Effort(by_bytes=pure))
    return [Rule("", 1, (taken,) if taken else (), matcher)] * MIN_CACHED_WEIGHT


def test_slow_search_without_a_match_is_cached() -> None:
    tried: list[bytes] = []
    book = Playbook(plan(*slow(tried))) >> b"a\na\na\n" >> b"b\na\n"
    assert book.silent().account.unmatched_requests == 5
    assert tried == [b"a"] * MIN_CACHED_WEIGHT + [b"b"] * MIN_CACHED_WEIGHT


def test_slow_search_with_a_match_is_cached() -> None:
    tried: list[bytes] = []
    book = Playbook(plan(*slow(tried), rule(say(b"."), place=7))) >> b"a\na\n" << Send(b"..")
    assert book.account.rules == [7, 7]
    assert len(tried) == MIN_CACHED_WEIGHT


@pytest.mark.parametrize("pure,taken", [(False, None), (True, steps.echo())], ids=["not of the bytes", "no constant"])
def test_variable_match_or_reply_is_searched_for_each_time(pure: bool, taken: steps.Step) -> None:
    tried: list[bytes] = []
    book = Playbook(plan(*slow(tried, pure=pure, holds=taken is not None, taken=taken)))
    for data in (b"a\na\n", b"a\n"):
        book >> data
        book.heard.clear()
    assert len(tried) == 3 * (1 if taken else MIN_CACHED_WEIGHT)


def test_slow_search_over_a_counted_rule_is_not_cached() -> None:
    tried: list[bytes] = []
    book = Playbook(plan(*slow(tried), rule(say(b"1"), times=1), rule(say(b".")))) >> b"a\na\n" << Send(b"1.")
    assert len(tried) == 2 * MIN_CACHED_WEIGHT
    assert not remembered(book, b"a\na\n")


def test_fast_search_is_not_cached() -> None:
    tried: list[bytes] = []
    Playbook(plan(*slow(tried)[1:])) >> b"a\na\n"
    assert len(tried) == 2 * (MIN_CACHED_WEIGHT - 1)


def test_reply_cache_is_limited_in_bytes() -> None:
    answering = Rule("", 7, (Send(bytes(MAX_CACHE_BYTES // 4)),))
    cache = ReplyCache()
    for number in range(20):
        for _ in range(2):
            cache.store(b"%d" % number, 1, answering)
        kept = sum(len(each.actions[0].data) for each in cache.entries.values() if each is not None)
        assert kept == cache.size_bytes <= MAX_CACHE_BYTES
        assert cache.entries[b"%d" % number] is not None
    rules = RuleCache()
    for number in range(MAX_CACHE_BYTES // ENTRY_BYTES + 10):
        rules.store(b"%d" % number, None)
        assert b"%d" % number in rules
        assert len(rules) * ENTRY_BYTES <= MAX_CACHE_BYTES
    rules.store(bytes(MAX_KEY_BYTES + 1), None)
    assert bytes(MAX_KEY_BYTES + 1) not in rules
    assert len(rules) < 50, "it was emptied when it was full"


def test_connection_adopts_a_new_plan_only_with_an_equal_framing() -> None:
    book = heard_twice(Playbook(plan(rule(say(b"old")), framing=Delimiter(b";"))), b"a;", b"old")
    book.active.plan = plan(rule(say(b"new")), framing=Delimiter(b";"))
    book >> b"a;" << Send(b"new")
    book.active.plan = plan(rule(say(b"newest")), framing=Delimiter(b","))
    for _ in range(3):
        book >> b"a;" << Send(b"new")


def test_new_plan_applies_with_the_current_state() -> None:
    def served(answer: bytes) -> ListenerPlan:
        to = rule(steps.state("in"), when=b"enter")
        return plan(to, rule(say(b"inside " + answer), in_states=("in",)), rule(say(b"outside " + answer)))

    book = Playbook(served(b"old")) >> b"a\n" << Send(b"outside old")
    book >> b"enter\n" >> b"a\n" << Send(b"inside old")
    book.active.plan = served(b"new")
    book >> b"a\n" << Send(b"inside new")
    book.active.plan = served(b"newest")
    book >> b"a\na\n" << Send(b"inside newestinside newest")


def test_new_plan_applies_with_the_current_variables_and_counts() -> None:
    def served(answer: str) -> ListenerPlan:
        setting = rule(steps.set_variable("x", template("${request}")), when=b"set")
        own = rule(say(b"once"), when=b"count", times=1, scope=CountedFor.CONNECTION)
        return plan(setting, own, rule(say(template(f"{answer} ${{vars.x}} ${{request_number}}"))))

    book = Playbook(served("old")) >> b"set\n" >> b"count\n" << Send(b"once")
    book.active.plan = served("new")
    book >> b"count\n" << Send(b"new set 3")


@pytest.mark.parametrize(
    "framing, data",
    [
        (Resp(), b"*1\r\n$4\r\nPING\r\n"),
        (Http(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (Pattern("[;,]"), b"abcd;"),
    ],
    ids=["resp", "http", "pattern"],
)
def test_reply_is_cached_under_a_framing_that_keeps_state(framing: Framing, data: bytes) -> None:
    book = heard_twice(Playbook(plan(rule(say(b".")), framing=framing)), data, b".")
    book >> data[:3]
    book.silent() >> data[3:] << Send(b".")
    book >> data + data[:3] << Send(b".")
    book >> data[3:] << Send(b".")
    book >> data << Send(b".")
    assert len(book.account.rules) == 6


def test_reply_is_cached_again_under_a_new_plan_with_an_equal_framing() -> None:
    book = heard_twice(Playbook(plan(rule(say(b"old")), framing=Delimiter(b";"))), b"a;", b"old")
    book.active.plan = plan(rule(say(b"new")), framing=Delimiter(b";"))
    heard_twice(book, b"a;", b"new")
