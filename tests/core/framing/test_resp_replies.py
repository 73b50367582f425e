from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, RespReplies
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    check_linear,
    streams,
)

REPLIES: Final = RespReplies()
NESTED: Final = b"*3\r\n*2\r\n:1\r\n$1\r\na\r\n+b\r\n*0\r\n"
MAP: Final = b"%2\r\n+a\r\n~1\r\n_\r\n$1\r\nb\r\n#t\r\n"

CASES: dict[str, tuple[bytes, list[bytes], bytes]] = {
    "lines": (b"+OK\r\n-ERR x\r\n:1\r\n", [b"+OK\r\n", b"-ERR x\r\n", b":1\r\n"], b""),
    "half a line": (b"+OK\r", [], b"+OK\r"),
    "lines of RESP3": (b"_\r\n#t\r\n,1.5\r\n(12\r\n", [b"_\r\n", b"#t\r\n", b",1.5\r\n", b"(12\r\n"], b""),
    "strings of any bytes": (b"$4\r\n\r\n$1\r\n+OK\r\n", [b"$4\r\n\r\n$1\r\n", b"+OK\r\n"], b""),
    "strings of RESP3": (b"=5\r\ntxt:a\r\n!3\r\nERR\r\n", [b"=5\r\ntxt:a\r\n", b"!3\r\nERR\r\n"], b""),
    "no string, and an empty one": (b"$-1\r\n$0\r\n\r\n", [b"$-1\r\n", b"$0\r\n\r\n"], b""),
    "no array, and an empty one": (b"*-1\r\n*0\r\n", [b"*-1\r\n", b"*0\r\n"], b""),
    "an array in an array": (NESTED * 2, [NESTED] * 2, b""),
    "half of it": (NESTED[:-4], [], NESTED[:-4]),
    "a map with a set": (MAP + b"+", [MAP], b"+"),
    "a push": (b">2\r\n+message\r\n+a\r\n+OK\r\n", [b">2\r\n+message\r\n+a\r\n", b"+OK\r\n"], b""),
    "an attribute and its value": (b"|1\r\n+a\r\n+b\r\n:1\r\n+OK\r\n", [b"|1\r\n+a\r\n+b\r\n:1\r\n", b"+OK\r\n"], b""),
    "half a length": (b"*1\r\n$1", [], b"*1\r\n$1"),
    "half a string": (b"$3\r\nab", [], b"$3\r\nab"),
    "half an ending": (b"$1\r\na\r", [], b"$1\r\na\r"),
}


@pytest.mark.parametrize("stream, replies, left", CASES.values(), ids=CASES)
def test_resp_replies_are_cut(stream: bytes, replies: list[bytes], left: bytes) -> None:
    check_case(REPLIES, stream, replies, left)


MALFORMED: list[tuple[bytes, str]] = [
    (b"x", '"x" does not begin a reply'),
    (b"*1\r\n\n", r'"\n" does not begin a reply'),
    (b"+OK\n", "a line of a reply does not end with CRLF"),
    (b"+\n", "a line of a reply does not end with CRLF"),
    (b"$x", "the length of a reply is not a number"),
    (b"$-2\r\n", "the length of a reply is not a number"),
    (b"*\r\n", "the length of a reply is not a number"),
    (b"*1\rx", "the length of a reply is not a number"),
    (b"$" + b"1" * 22, "the length of a reply is not a number"),
    (b"$1\r\nabc", "a bulk string is not as long as its length"),
    (b"$1\r\na\n\n", "a bulk string is not as long as its length"),
]


@pytest.mark.parametrize("stream, fault", MALFORMED)
def test_malformed_reply_reports_fault(stream: bytes, fault: str) -> None:
    check_case(REPLIES, b"+OK\r\n" + stream, [b"+OK\r\n"], b"", fault)


LEAST = [
    (b"+", 3),
    (b"+PONG", 5),
    (b"*2\r\n", 4 + 3 + 3),
    (b"*2\r\n$5\r\n", 4 + 11 + 3),
    (b"%1000000000000\r\n", 16 + 6 * 10**12),  # evident before they are there
    (b"$2147483648\r\n", 13 + 2147483648 + 2),
]


@pytest.mark.parametrize("buffer, least", LEAST)
def test_resp_replies_give_min_length(buffer: bytes, least: int) -> None:
    begun = REPLIES.new_framer()
    assert REPLIES.min_length(buffer) == begun.min_length(buffer) == least


VALUES = st.recursive(
    st.sampled_from([b"+OK\r\n", b"_\r\n", b":1\r\n", b"$-1\r\n"])
    | st.binary(max_size=9).map(lambda text: b"$%d\r\n%b\r\n" % (len(text), text)),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda found: b"*%d\r\n" % len(found) + b"".join(found))
        | st.lists(st.tuples(inner, inner), max_size=2).map(
            lambda found: b"%%%d\r\n" % len(found) + b"".join(one + other for one, other in found)
        )
    ),
    max_leaves=12,
)
PARTS = streams(
    b"*", b"$", b"\r\n", b"\n", b"\r", b"*2\r\n", b"$1\r\n", b"|1\r\n", b"%1\r\n", b"a", b"1", b"-1", most=8
)
STREAMS = st.lists(VALUES | PARTS, max_size=5).map(b"".join)


@given(values=st.lists(VALUES, max_size=8), where=CUTS, kind=KINDS)
def test_each_value_is_a_reply_however_it_is_cut(values: list[bytes], where: list[int], kind: type[bytes]) -> None:
    check_case(REPLIES, b"".join(values), values, b"")
    check_cutting_never_matters(REPLIES, b"".join(values), where, kind)


@given(stream=STREAMS, where=CUTS, kind=KINDS)
def test_any_stream_cut_anywhere_gives_the_same_replies(stream: bytes, where: list[int], kind: type[bytes]) -> None:
    check_cutting_never_matters(REPLIES, stream, where, kind)
    check_consumed(REPLIES, stream)


def test_long_buffer_is_cut_in_batches() -> None:
    found, end = REPLIES.split(b"+OK\r\n" * 2 * MAX_BATCH, 0)
    assert (len(found), end) == (MAX_BATCH, MAX_BATCH * 5)


LONG = {
    "a line": (b"+", b"a"),
    "an array": (b"*1000000\r\n", b"$1\r\na\r\n"),
    "arrays in arrays": (b"", b"*1\r\n"),
    "a string": (b"$1000000\r\n", b"\n"),
}


@pytest.mark.parametrize("begin, more", LONG.values(), ids=LONG)
def test_long_reply_is_cut_in_linear_work(begin: bytes, more: bytes) -> None:
    check_linear(REPLIES, begin, more)


def test_rest_at_eof_is_no_reply() -> None:
    assert (REPLIES.eof_completes, REPLIES.idle_gap) == (False, float("inf"))
    assert RespReplies() == REPLIES
