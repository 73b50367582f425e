import re
from random import Random
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from answerback.core import patterns
from answerback.core.framing import MAX_BATCH, Pattern, automaton, check_pattern, places
from answerback.core.patterns import PatternError
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Outcome,
    byte_by_byte,
    check_case,
    check_consumed,
    check_cutting_never_matters,
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
def test_pattern_framing_cuts_stream_into_requests(
    framing: Pattern, stream: bytes, requests: list[bytes], left: bytes
) -> None:
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
    """The same in another way: byte by byte, with another engine, until it matches."""
    search = re.compile(pattern.encode()).search
    requests, heard = [], b""
    for at in range(len(stream)):
        heard += stream[at : at + 1]
        if search(heard):
            requests.append(heard)
            heard = b""
    return Outcome(requests, heard)


@given(pattern=PATTERNS, stream=STREAMS)
def test_pattern_framing_agrees_with_plain_model(pattern: str, stream: bytes) -> None:
    assert cut(ending(pattern), [stream]) == plainly(pattern, stream)


@given(pattern=PATTERNS, stream=STREAMS, where=CUTS, kind=KINDS)
def test_pattern_framing_cut_anywhere_finds_same_requests(
    pattern: str, stream: bytes, where: list[int], kind: type[bytes]
) -> None:
    check_cutting_never_matters(ending(pattern), stream, where, kind)


@given(pattern=PATTERNS, stream=STREAMS)
def test_pattern_framing_consumed_is_start_of_next_request(pattern: str, stream: bytes) -> None:
    check_consumed(ending(pattern), stream)


@given(stream=st.binary())
def test_pattern_framing_loses_no_bytes(stream: bytes) -> None:
    assert b"".join((outcome := cut(FIX, [stream])).requests) + outcome.left == stream


def test_pattern_framing_cuts_long_buffer_in_batches() -> None:
    found, end = FIX.split(MESSAGE * 2 * MAX_BATCH, 0)
    assert (len(found), end) == (MAX_BATCH, MAX_BATCH * len(MESSAGE))


def test_pattern_framing_gives_min_request_length() -> None:
    assert FIX.min_length(b"abc") == 3


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
def test_pattern_framing_with_unusable_pattern_is_rejected(pattern: str, why: str) -> None:
    for refuse in (check_pattern, Pattern):
        with pytest.raises(PatternError) as caught:
            refuse(pattern)
        assert str(caught.value) == why


FLAGGED = st.builds(
    lambda flags, some: "".join(part for pair in zip(flags, some, strict=False) for part in pair),
    st.lists(st.sampled_from(["", "(?i)", "(?s)", "(?-i)", "(?s-i)", "(?i:", "(?:", "(", ")", "|"]), max_size=6),
    st.lists(
        st.sampled_from(["a", "B", ".", "[a-b]", "[^A]", r"\QaB\E", r"\C", "a{2}", "b*", "(?i){2}", r"\d?"]), max_size=6
    ),
)


@given(pattern=PATTERNS | FLAGGED, stream=streams(b"a", b"B", b"A", b"b", b"\n", b"aB"))
def test_pattern_framing_ends_where_re2_first_matches(pattern: str, stream: bytes) -> None:
    framing, search = ending(pattern), patterns.compile(pattern).search
    requests, heard = [], b""
    for at in range(len(stream)):
        heard += stream[at : at + 1]
        if search(heard):
            requests.append(heard)
            heard = b""
    assert cut(framing, [stream]) == Outcome(requests, heard)


@pytest.mark.parametrize("most", [1, 2, 5])
@given(pattern=PATTERNS, stream=STREAMS)
def test_pattern_framing_recomputes_evicted_automaton_states(most: int, pattern: str, stream: bytes) -> None:
    framing = ending(pattern)
    framing._automaton._most = framing._automaton._left = most
    assert cut(framing, byte_by_byte(stream)) == plainly(pattern, stream)
    assert sum(len(state) for state in framing._automaton._states.values()) <= most


@pytest.mark.parametrize("skip_after", [1, 2])
@given(pattern=PATTERNS, stream=STREAMS)
def test_skipping_bytes_does_not_change_the_requests(skip_after: int, pattern: str, stream: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(automaton, "SKIP_AFTER", skip_after)
        framing = ending(pattern)
        assert cut(framing, [stream]) == plainly(pattern, stream)
        assert cut(framing, byte_by_byte(stream)) == plainly(pattern, stream)


def test_hostile_bytes_take_at_most_the_memory_of_the_pattern() -> None:
    """Each of these bytes makes a state that was not there before."""
    with patterns.compiling(patterns.Compiler(memory=1 << 17)):
        framing = Pattern("(?s)a.{200}c")
    cut(framing, [bytes(Random(1).choices(b"ab", k=20_000))])
    assert 0 < sum(len(state) for state in framing._automaton._states.values()) <= (1 << 17) // 128


def test_connections_share_an_automaton_and_keep_their_own_state() -> None:
    one, other = FIX.new_framer(), FIX.new_framer()
    assert one.split(MESSAGE[:-1], 0) == ([], 0)
    assert other.split(b"12\x01", 0) == ([], 0)
    assert one.split(MESSAGE, len(MESSAGE) - 1) == ([MESSAGE], len(MESSAGE))


def test_pattern_ending_longer_than_256_bytes_is_rejected() -> None:
    assert Pattern("a{256}").pattern
    with pytest.raises(PatternError) as caught:
        Pattern("(?:a{128}){2}b")
    assert str(caught.value) == (
        "names 257 bytes; where a pattern ends a request it can be 256, each repetition counted. Write only how a "
        "request ends, or use length_prefix or fixed"
    )


@pytest.mark.parametrize(
    "pattern, count", [("abc", 3), ("a|bc", 3), ("(a+b?)*", 2), ("a{2,5}", 5), ("a{3,}", 3), ("a{0}b", 1)]
)
def test_pattern_positions_count_repetitions(pattern: str, count: int) -> None:
    assert places(pattern) == count


def test_pattern_framing_rest_at_eof_is_no_request() -> None:
    assert (FIX.eof_completes, FIX.idle_gap) == (False, float("inf"))


def test_pattern_framings_with_equal_options_are_equal() -> None:
    assert Pattern("a") == Pattern("a") != Pattern("b")
    assert repr(Pattern("a")) == "Pattern(pattern='a')"
