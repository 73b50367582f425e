"""The explanation of a mismatch: none if the match holds, and otherwise the first byte that differs."""

import inspect
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching
from answerback.core.matching import Explainer, Mismatch
from answerback.core.matching.byte_ranges import explain_byte_range
from answerback.core.matching.combinations import explain_all_of, explain_any_of, explain_none_of
from answerback.core.matching.literals import explain_contains, explain_equals, explain_prefix, explain_suffix
from answerback.core.matching.numbers import explain_request_number, explain_size
from answerback.core.matching.peers import explain_peer
from answerback.core.matching.regexes import explain_regex
from tests.core.turns import MadeUp

pieces = st.lists(st.sampled_from([b"a", b"A", b"b", b"\x00", b"\xe3"]), max_size=5).map(b"".join)


def why(reason: Explainer, request: bytes, turn: MadeUp | None = None) -> str:
    miss = reason(request, turn or MadeUp(request))
    assert miss is not None
    return miss.why


def explaining(name: str) -> Callable[..., Explainer]:
    """What explains this match: it stands in the same file."""
    module = inspect.getmodule(getattr(matching, name))
    found: Callable[..., Explainer] = getattr(module, f"explain_{name}")
    return found


def test_each_match_explains_itself_from_the_same_arguments() -> None:
    made = {name for name in matching.__all__ if inspect.isfunction(getattr(matching, name))}
    assert len(made) >= 12
    for name in made - {"all_of", "any_of", "none_of"}:
        assert inspect.signature(explaining(name)).parameters == inspect.signature(getattr(matching, name)).parameters


@pytest.mark.parametrize("kind", ["equals", "prefix", "suffix", "contains"])
@given(request_bytes=pieces, literal=pieces, ignore_case=st.booleans())
def test_literal_miss_agrees_with_its_match(kind: str, request_bytes: bytes, literal: bytes, ignore_case: bool) -> None:
    turn = MadeUp(request_bytes)
    miss = explaining(kind)(literal, ignore_case)(request_bytes, turn)
    assert (miss is None) == getattr(matching, kind)(literal, ignore_case)(request_bytes, turn)
    if miss is not None and miss.at is not None and miss.got:
        assert request_bytes[miss.at : miss.at + 1] == miss.got != miss.expected


@given(
    request_bytes=pieces, offset=st.integers(0, 6), literal=pieces.filter(len), bits=st.binary(min_size=5, max_size=5)
)
def test_mismatch_exists_exactly_where_bytes_do_not_match(
    request_bytes: bytes, offset: int, literal: bytes, bits: bytes
) -> None:
    turn = MadeUp(request_bytes)
    for mask in (None, bits[: len(literal)]):
        miss = explain_byte_range(offset, literal, mask)(request_bytes, turn)
        assert (miss is None) == matching.byte_range(offset, literal, mask)(request_bytes, turn)


@pytest.mark.parametrize(
    "request_bytes, miss",
    [
        (b"PONG", Mismatch('is not "PING": byte 1 is "O", not "I"', 1, b"I", b"O")),
        (b"PI", Mismatch('is not "PING": it ends where "N" should follow', 2, b"N")),
        (b"PING\r", Mismatch(r'is not "PING": it goes on with "\r" at byte 4, where it should end', 4, b"", b"\r")),
        (b"", Mismatch('is not "PING": it is empty', 0, b"P")),
        (b"PING", None),
    ],
)
def test_equals_miss_names_the_first_differing_byte(request_bytes: bytes, miss: Mismatch | None) -> None:
    assert explain_equals(b"PING")(request_bytes, MadeUp()) == miss


def test_equals_miss_ignores_case_if_the_match_does() -> None:
    assert explain_equals(b"ping", True)(b"PING", MadeUp()) is None
    assert why(explain_equals(b"ping", True), b"PInG!") == (
        'is not "ping": it goes on with "!" at byte 4, where it should end'
    )


def test_prefix_miss_names_the_first_differing_byte() -> None:
    assert explain_prefix(b"GET ")(b"GET /", MadeUp()) is None
    assert explain_prefix(b"GET ")(b"GEX", MadeUp()) == Mismatch(
        'does not begin with "GET ": byte 2 is "X", not "T"', 2, b"T", b"X"
    )


def test_suffix_miss_names_the_first_differing_byte() -> None:
    assert explain_suffix(b"bye")(b"good xye", MadeUp()) == Mismatch(
        'does not end with "bye": byte 5 is "x", not "b"', 5, b"b", b"x"
    )
    assert why(explain_suffix(b"bye"), b"ye") == 'does not end with "bye": it is shorter'
    assert explain_suffix(b"bye")(b"ye", MadeUp()) == Mismatch('does not end with "bye": it is shorter', 0, b"b")
    assert explain_suffix(b"bye")(b"", MadeUp()) == Mismatch('does not end with "bye": it is shorter', 0, b"e")


def test_contains_miss_names_where_the_best_attempt_ends() -> None:
    assert explain_contains(b"abc")(b"xabxxa", MadeUp()) == Mismatch(
        'does not contain "abc": byte 3 is "x", not "c"', 3, b"c", b"x"
    )
    assert why(explain_contains(b"abc"), b"xab") == 'does not contain "abc": it ends where "c" should follow'
    assert why(explain_contains(b"abc"), b"xyz") == 'does not contain "abc", nor its first byte'


def test_regex_miss_says_when_only_case_differs() -> None:
    assert why(explain_regex("^ECHO (.*)$"), b"PING") == "nothing in it matches ^ECHO (.*)$"
    assert why(explain_regex("^ECHO"), b"echo") == "nothing in it matches ^ECHO, but for the case of its letters"
    assert explain_regex("^ECHO")(b"ECHO", MadeUp()) is None


def test_bytes_miss_names_the_byte_or_the_missing_length() -> None:
    assert explain_byte_range(1, b"\x03\x04")(b"\x00\x03\x05", MadeUp()) == Mismatch(
        "byte 2 is 05, not 04", 2, b"\x04", b"\x05"
    )
    assert why(explain_byte_range(0, b"\x83", b"\x80"), b"\x03") == "byte 0 is 03, not 83 in the bits 80"
    assert explain_byte_range(6, b"7b")(b"1234567", MadeUp()) == Mismatch(
        "has 7 bytes, and bytes 6 to 7 are compared", 7, b"b"
    )


def test_size_and_request_number_misses_name_the_range() -> None:
    assert why(explain_size(5), b"abc") == "has 3 bytes, not 5 or more"
    assert why(explain_size(1, 2), b"abc") == "has 3 bytes, not 1 to 2"
    assert why(explain_size(2, 2), b"abc") == "has 3 bytes, not 2"
    assert explain_size(3)(b"abc", MadeUp()) is None
    assert why(explain_request_number(2), b"", MadeUp(number=1)) == "is request 1 of its connection, not 2 or more"
    assert explain_request_number(1, 1)(b"", MadeUp(number=1)) is None


def test_peer_miss_names_address_and_network() -> None:
    assert why(explain_peer("10.0.0.0/8"), b"") == "comes from 192.0.2.7, not from 10.0.0.0/8"
    assert why(explain_peer("10.0.0.0/8"), b"", MadeUp(peer=("", 0))) == (
        "comes from a Unix socket, not from 10.0.0.0/8"
    )
    assert explain_peer("192.0.2.0/24")(b"", MadeUp()) is None


def test_all_of_miss_names_the_first_failing_part() -> None:
    both = explain_all_of([explain_prefix(b"a"), explain_suffix(b"z"), explain_size(9)])
    assert why(both, b"ab") == 'does not end with "z": byte 1 is "b", not "z"'
    assert both(b"a" * 8 + b"z", MadeUp()) is None


def test_any_of_miss_names_the_nearest_part() -> None:
    either = explain_any_of([explain_size(9), explain_equals(b"QUIT"), explain_equals(b"QUERY"), explain_equals(b"x")])
    assert either(b"QUEST", MadeUp()) == Mismatch(
        'is none of 4; the nearest: is not "QUERY": byte 3 is "S", not "R"', 3, b"R", b"S"
    )
    assert either(b"x", MadeUp()) is None
    assert why(explain_any_of([explain_size(9)]), b"") == "has 0 bytes, not 9 or more"
    assert why(explain_any_of([]), b"") == "there is nothing to match"


def test_not_miss_says_that_the_request_matches() -> None:
    assert why(explain_none_of(explain_prefix(b"a")), b"ab") == "matches what it should not"
    assert explain_none_of(explain_prefix(b"a"))(b"b", MadeUp()) is None
