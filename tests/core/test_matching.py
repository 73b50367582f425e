from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching
from answerback.core.matching import Matcher
from answerback.core.patterns import PatternError

short = st.lists(st.sampled_from([b"a", b"A", b"b", b"\x00", b"\xc3", b"\xe3"]), max_size=5).map(b"".join)


def test_equals() -> None:
    matches = matching.equals(b"PING")
    assert matches(b"PING")
    assert not any(map(matches, [b"ping", b"PIN", b"PINGS", b""]))


def test_prefix() -> None:
    matches = matching.prefix(b"GET ")
    assert matches(b"GET ")
    assert matches(b"GET /")
    assert not any(map(matches, [b"get /", b" GET /", b"GET", b""]))


def test_suffix() -> None:
    matches = matching.suffix(b"bye")
    assert matches(b"good bye")
    assert not any(map(matches, [b"good BYE", b"bye ", b"ye", b""]))


def test_contains() -> None:
    matches = matching.contains(b"\x00\xff")
    assert matches(b"a\x00\xffb")
    assert not any(map(matches, [b"\x00a\xff", b"\x00", b""]))


def test_regex() -> None:
    matches = matching.regex(r"^a.c$")
    assert matches(b"a\xffc")
    assert not any(map(matches, [b"xabc", b"abcd", b"ac"]))


def test_a_regex_is_searched_for() -> None:
    assert matching.regex("b+")(b"abbc")


def test_a_regex_that_re2_refuses() -> None:
    with pytest.raises(PatternError):
        matching.regex("(")


Literal = Callable[[bytes, bool], Matcher]
KINDS: list[Literal] = [matching.equals, matching.prefix, matching.suffix, matching.contains]
PLAIN: dict[Literal, Callable[[bytes, bytes], bool]] = {
    matching.equals: bytes.__eq__,
    matching.prefix: bytes.startswith,
    matching.suffix: bytes.endswith,
    matching.contains: bytes.__contains__,
}


@pytest.mark.parametrize("kind", KINDS)
@given(request_bytes=short, literal=short)
def test_ignoring_case_takes_ascii_letters_alone_as_equal(kind: Literal, request_bytes: bytes, literal: bytes) -> None:
    assert kind(literal, True)(request_bytes) == kind(literal.lower(), False)(request_bytes.lower())


@pytest.mark.parametrize("kind", KINDS)
@given(request_bytes=short, literal=short)
def test_a_literal_is_compared_byte_by_byte(kind: Literal, request_bytes: bytes, literal: bytes) -> None:
    assert kind(literal, False)(request_bytes) == PLAIN[kind](request_bytes, literal)


def always(_request: bytes) -> bool:
    return True


def never(_request: bytes) -> bool:
    return False


COMBINED: list[tuple[Matcher, bool]] = [
    (matching.all_of([always, always]), True),
    (matching.all_of([always, never]), False),
    (matching.any_of([never, always]), True),
    (matching.any_of([never, never]), False),
    (matching.none_of(never), True),
    (matching.none_of(always), False),
    (matching.all_of([matching.any_of([never, matching.none_of(never)]), always]), True),
]


@pytest.mark.parametrize("matches, answer", COMBINED)
def test_combinations(matches: Matcher, answer: bool) -> None:
    assert matches(b"anything") is answer
