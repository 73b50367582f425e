import re
from typing import Any, Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from answerback.core import patterns
from answerback.core.framing import MOST, Buffer, Framing, Pattern, check_pattern
from answerback.core.patterns import PatternError
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Outcome,
    check_case,
    check_cutting_never_matters,
    check_taken,
    cut,
    streams,
)

FIX: Final = Pattern(r"\x0110=\d{3}\x01")
MESSAGE: Final = b"8=FIX.4.2\x019=5\x0135=0\x0110=161\x01"

CASES = [
    (FIX, MESSAGE * 2, [MESSAGE] * 2, b""),
    (FIX, MESSAGE + MESSAGE[:-1], [MESSAGE], MESSAGE[:-1]),
    (FIX, b"\x0110=12\x0110=123\x01", [b"\x0110=12\x0110=123\x01"], b""),
    (Pattern("a+"), b"aaba", [b"a", b"a", b"ba"], b""),  # the first byte that makes it match ends it, however greedy
    (Pattern("a.*z|b"), b"axxbxxz", [b"axxb"], b"xxz"),  # not the match that begins first: the one that ends first
    (Pattern("a.*z|xb"), b"axxbxxz", [b"axxb"], b"xxz"),
    (Pattern("a{3}"), b"aaaaa", [b"aaa"], b"aa"),
    (Pattern("(?i)quit|exit"), b"QuitEXIT", [b"Quit", b"EXIT"], b""),
    (Pattern(r"(?s)<(?P<tag>.)>.*</"), b"<a>\n</a>", [b"<a>\n</"], b"a>"),
    (Pattern("é"), "é".encode() + b"\xe9", ["é".encode()], b"\xe9"),
    (Pattern(r"\xff"), b"a\xff", [b"a\xff"], b""),
    (Pattern(r"[$^]|\$|\^|\Q^$\E"), b"a$b^", [b"a$", b"b^"], b""),
    (Pattern("[^]>]>"), b">>a>", [b">>a>"], b""),
]  # fmt: skip


@pytest.mark.parametrize("framing, stream, requests, left", CASES)
def test_requests(framing: Pattern, stream: bytes, requests: list[bytes], left: bytes) -> None:
    check_case(framing, stream, requests, left)


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\x61", r"\n"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda some: f"(?:{'|'.join(some)})"),
        st.builds(
            lambda one, many: f"({one}){many}", inner, st.sampled_from(["?", "*", "+", "+?", "{2}", "{1,3}", "{2,}"])
        ),
    ),
    max_leaves=6,
)
STREAMS = streams(b"a", b"b", b"\n", b"aa", b"ab")


def ending(pattern: str) -> Pattern:
    """A framing by this pattern, if that can be."""
    try:
        return Pattern(pattern)
    except PatternError:
        assume(False)
        raise


def plainly(pattern: str, stream: bytes) -> Outcome:
    """The same once more: byte by byte, by another engine, until it matches."""
    search = re.compile(pattern.encode()).search
    requests, heard = [], b""
    for at in range(len(stream)):
        heard += stream[at : at + 1]
        if search(heard):
            requests.append(heard)
            heard = b""
    return Outcome(requests, heard)


@given(pattern=PATTERNS, stream=STREAMS)
def test_a_plain_model_agrees(pattern: str, stream: bytes) -> None:
    assert cut(ending(pattern), [stream]) == plainly(pattern, stream)


@given(pattern=PATTERNS, stream=STREAMS, where=CUTS, kind=KINDS)
def test_cutting_never_matters(pattern: str, stream: bytes, where: list[int], kind: type[bytes]) -> None:
    check_cutting_never_matters(ending(pattern), stream, where, kind)


@given(pattern=PATTERNS, stream=STREAMS)
def test_what_was_taken(pattern: str, stream: bytes) -> None:
    check_taken(ending(pattern), stream)


@given(stream=st.binary())
def test_any_bytes_are_heard(stream: bytes) -> None:
    assert b"".join((outcome := cut(FIX, [stream])).requests) + outcome.left == stream


def test_a_long_buffer_is_cut_little_by_little() -> None:
    found, end = FIX.cut(MESSAGE * 2 * MOST, 0)
    assert (len(found), end) == (MOST, MOST * len(MESSAGE))


def test_how_long_a_request_will_be_at_least() -> None:
    assert FIX.least(b"abc") == 3


REFUSED = {
    "^a": "^ cannot be used where a pattern ends a request",
    "a$": "$ cannot be used where a pattern ends a request",
    "(?m)a$": "$ cannot be used where a pattern ends a request",
    r"\Aa": r"\A cannot be used where a pattern ends a request",
    r"a\z": r"\z cannot be used where a pattern ends a request",
    r"a\b": r"\b cannot be used where a pattern ends a request",
    r"(a|\B)": r"\B cannot be used where a pattern ends a request",
    "a*": "matches the empty string, so it would end a request before its first byte",
    "": "matches the empty string, so it would end a request before its first byte",
    "(": "missing ): (",
}


@pytest.mark.parametrize("pattern, why", REFUSED.items())
def test_what_cannot_end_a_request(pattern: str, why: str) -> None:
    for refuse in (check_pattern, Pattern):
        with pytest.raises(PatternError) as caught:
            refuse(pattern)
        assert str(caught.value) == why


class Counting:
    """Searches that count the bytes they are given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.searched = 0
        finder = patterns.finder

        def counted(pattern: str) -> patterns.Find:
            find = finder(pattern)

            def count(data: Buffer, begin: int, end: int) -> int:
                self.searched += end - begin
                return find(data, begin, end)

            return count

        monkeypatch.setattr(patterns, "finder", counted)

    def of(self, framing: Framing, pieces: list[bytes]) -> int:
        self.searched = 0
        cut(framing, pieces)
        return self.searched


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Any:
    return Counting(monkeypatch)


def test_a_long_request_takes_linear_work(counting: Counting) -> None:
    fix, size = Pattern(FIX.pattern), 10_000
    assert counting.of(fix, [b"\x01"] * size) <= 8 * size
    assert counting.of(fix, [b"\x01" * size]) <= 2 * size
    assert counting.of(fix, [b"\x01" * size + MESSAGE]) <= 5 * size


def test_a_request_costs_nothing_of_those_behind_it(counting: Counting) -> None:
    """Though each match of this one might go on to the end of them all."""
    assert counting.of(Pattern("(?s)<.*>"), [b"<ab>" * 10_000]) <= 10_000 * 1000


def test_of_a_pattern_without_limit_what_arrives_at_once_takes_linear_work(counting: Counting) -> None:
    size = 1 << 16
    assert counting.of(Pattern("(?s)<.*>"), [b"<" + b"a" * size]) <= 3 * size
    assert counting.of(Pattern("(?s)<.*>"), [b"<" + b"a" * size + b">"]) <= 20 * size  # halving


def test_what_is_left_at_the_end_is_no_request() -> None:
    assert (FIX.rest, FIX.gap) == (False, float("inf"))


def test_equal_framings_are_equal() -> None:
    assert Pattern("a") == Pattern("a") != Pattern("b")
    assert repr(Pattern("a")) == "Pattern(pattern='a')"
