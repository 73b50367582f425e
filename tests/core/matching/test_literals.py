from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching
from answerback.core.matching import Matcher
from tests.core.matching.turns import asked

short = st.lists(st.sampled_from([b"a", b"A", b"b", b"\x00", b"\xc3", b"\xe3"]), max_size=5).map(b"".join)


def test_equals_match_holds_for_the_exact_bytes_only() -> None:
    matches = matching.equals(b"PING")
    assert asked(matches, b"PING")
    assert not any(asked(matches, other) for other in [b"ping", b"PIN", b"PINGS", b""])


def test_prefix_match_holds_at_the_start_only() -> None:
    matches = matching.prefix(b"GET ")
    assert asked(matches, b"GET ")
    assert asked(matches, b"GET /")
    assert not any(asked(matches, other) for other in [b"get /", b" GET /", b"GET", b""])


def test_suffix_match_holds_at_the_end_only() -> None:
    matches = matching.suffix(b"bye")
    assert asked(matches, b"good bye")
    assert not any(asked(matches, other) for other in [b"good BYE", b"bye ", b"ye", b""])


def test_contains_match_holds_anywhere() -> None:
    matches = matching.contains(b"\x00\xff")
    assert asked(matches, b"a\x00\xffb")
    assert not any(asked(matches, other) for other in [b"\x00a\xff", b"\x00", b""])


Literal = Callable[[bytes, bool], Matcher]
# Each match in another way: byte by byte.
PLAINLY: dict[Literal, Callable[[bytes, bytes], bool]] = {
    matching.equals: lambda request, literal: list(request) == list(literal),
    matching.prefix: lambda request, literal: request[: len(literal)] == literal,
    matching.suffix: lambda request, literal: request[::-1][: len(literal)][::-1] == literal,
    matching.contains: lambda request, literal: any(
        request[at : at + len(literal)] == literal for at in range(len(request) + 1)
    ),
}


def fold(data: bytes) -> bytes:
    return bytes(byte + 32 if ord("A") <= byte <= ord("Z") else byte for byte in data)


@pytest.mark.parametrize("kind", PLAINLY)
@given(request_bytes=short, literal=short)
def test_literal_match_compares_bytes(kind: Literal, request_bytes: bytes, literal: bytes) -> None:
    assert asked(kind(literal, False), request_bytes) == PLAINLY[kind](request_bytes, literal)


@pytest.mark.parametrize("kind", PLAINLY)
@given(request_bytes=short, literal=short)
def test_ignore_case_applies_to_ascii_letters_only(kind: Literal, request_bytes: bytes, literal: bytes) -> None:
    assert asked(kind(literal, True), request_bytes) == PLAINLY[kind](fold(request_bytes), fold(literal))
