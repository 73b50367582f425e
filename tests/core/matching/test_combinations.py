from collections.abc import Generator

import pytest

from answerback.core import matching
from answerback.core.context import RequestContext
from answerback.core.matching import Matcher
from answerback.core.matching.effort import in_parts
from tests.core.matching.turns import asked
from tests.core.turns import MadeUp


def always(_request: bytes, _context: RequestContext) -> bool:
    return True


def never(_request: bytes, _context: RequestContext) -> bool:
    return False


ALL_OF = [([], True), ([always, always], True), ([always, never], False), ([never, always], False)]
ANY_OF = [([], False), ([never, always], True), ([always, never], True), ([never, never], False)]


@pytest.mark.parametrize("matchers, answer", ALL_OF)
def test_all_of_match_holds_if_every_part_does(matchers: list[Matcher], answer: bool) -> None:
    assert asked(matching.all_of(matchers), b"anything") is answer


@pytest.mark.parametrize("matchers, answer", ANY_OF)
def test_any_of_match_holds_if_one_part_does(matchers: list[Matcher], answer: bool) -> None:
    assert asked(matching.any_of(matchers), b"anything") is answer


def test_none_of_match_inverts_its_part() -> None:
    assert asked(matching.none_of(never), b"anything")
    assert not asked(matching.none_of(always), b"anything")


def test_combined_matches_nest() -> None:
    assert asked(matching.all_of([matching.any_of([never, matching.none_of(never)]), always]), b"anything")


B = matching.regex("(b)")
C = matching.regex("(c)")

CAPTURED = [
    (matching.all_of([B, always]), True, b"b"),
    (matching.all_of([B, C]), True, b"c"),
    (matching.any_of([never, B, C]), True, b"b"),
    (matching.all_of([B, matching.any_of([matching.all_of([C, never]), always])]), True, b"b"),
    (matching.all_of([B, matching.none_of(matching.none_of(C))]), True, b"b"),
    (matching.all_of([B, never]), False, None),
    (matching.any_of([matching.all_of([B, never]), never]), False, None),
    (matching.none_of(B), False, None),
    (matching.none_of(matching.none_of(B)), True, None),
]


@pytest.mark.parametrize("matches, answer, captured", CAPTURED)
def test_captures_come_from_the_part_that_matched(matches: Matcher, answer: bool, captured: bytes | None) -> None:
    """What a rule captured that did not match in the end is not there for the next."""
    turn = MadeUp()
    assert asked(matches, b"abc", turn) is answer
    assert (turn.captures and turn.captures.group(1)) == captured


def test_captures_of_all_parts_are_shared() -> None:
    both = matching.all_of([matching.regex("(?P<one>b)(c)?"), always, matching.regex("(?P<other>d)")])
    turn = MadeUp()
    assert asked(both, b"bcd", turn)
    assert turn.captures is not None
    found = [turn.captures.group(key) for key in (b"one", b"other", 1, 2)]  # type: ignore[arg-type]  # as RE2 has it
    assert found == [b"b", b"d", b"d", b"c"]
    with pytest.raises(IndexError):
        turn.captures.group(3)


def test_captures_of_a_nested_all_add_to_those_before_it() -> None:
    inner = matching.all_of([matching.regex("(?P<two>c)"), matching.regex("(?P<three>d)")])
    turn = MadeUp()
    assert asked(matching.all_of([matching.regex("(?P<one>b)"), inner, always]), b"bcd", turn)
    assert turn.captures is not None
    assert [turn.captures.group(key) for key in (b"one", b"two", b"three")] == [b"b", b"c", b"d"]  # type: ignore[arg-type]


def test_captures_are_restored_where_a_later_part_fails() -> None:
    turn = MadeUp()
    assert not asked(matching.all_of([matching.regex("(b)"), matching.regex("(c)"), never]), b"bc", turn)
    assert turn.captures is None


def result_of(search: Generator[None, None, bool]) -> bool:
    while True:
        try:
            next(search)
        except StopIteration as done:
            return bool(done.value)


def test_captures_are_shared_by_parts_that_are_tried_in_turns() -> None:
    both = matching.all_of([matching.regex("(?P<one>b)"), matching.regex("(?P<two>c)")])
    turn = MadeUp()
    assert result_of(in_parts(both, b"bc", turn)) is True
    assert turn.captures is not None
    assert [turn.captures.group(key) for key in (b"one", b"two")] == [b"b", b"c"]  # type: ignore[arg-type]
