from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, Resp
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    check_linear,
    cut,
    streams,
)
from tests.core.framing.plain_resp import plainly

RESP: Final = Resp()
GET: Final = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"

CASES: dict[str, tuple[bytes, list[bytes], bytes]] = {
    "an array": (GET, [GET], b""),
    "pipelined": (GET * 3 + b"*", [GET] * 3, b"*"),
    "inline": (b"PING\r\nSET a b\n\r\n", [b"PING\r\n", b"SET a b\n", b"\r\n"], b""),
    "both": (b"PING\r\n" + GET + b"QUIT\r\n", [b"PING\r\n", GET, b"QUIT\r\n"], b""),
    "half a line": (b"PING\r", [], b"PING\r"),
    "an empty array": (b"*0\r\n*-1\r\n", [b"*0\r\n", b"*-1\r\n"], b""),
    "an empty string": (b"*1\r\n$0\r\n\r\n", [b"*1\r\n$0\r\n\r\n"], b""),
    "strings of any bytes": (b"*1\r\n$6\r\n\r\n$1\r\n\r\n", [b"*1\r\n$6\r\n\r\n$1\r\n\r\n"], b""),
    "half a count": (b"*1", [], b"*1"),
    "half a length": (b"*1\r\n$", [], b"*1\r\n$"),
    "half a string": (GET[:-4], [], GET[:-4]),
    "half an ending": (GET[:-1], [], GET[:-1]),
}


@pytest.mark.parametrize("stream, requests, left", CASES.values(), ids=CASES)
def test_resp_framing_cuts_stream_into_requests(stream: bytes, requests: list[bytes], left: bytes) -> None:
    check_case(RESP, stream, requests, left)


MALFORMED: list[tuple[bytes, str]] = [
    (b"*\r\n", 'the length of an array is not a number: ""'),
    (b"*x\r\n", 'the length of an array is not a number: "x"'),
    (b"*+1\r\n", 'the length of an array is not a number: "+1"'),
    (b"*-\r\n", 'the length of an array is not a number: "-"'),
    (b"*1_0\r\n", 'the length of an array is not a number: "1_0"'),
    (b"*1\n", "a number does not end with CRLF"),
    (b"*\n", "a number does not end with CRLF"),
    (b"*" + b"1" * 23, "a number is too long"),
    (b"*1\r\n$" + b"1" * 23, "a number is too long"),
    (b"*1\r\n*", 'expected "$", not "*"'),
    (b"*1\r\n\xff", r'expected "$", not "\xff"'),
    (b"*1\r\n$-1\r\n", 'the length of a bulk string is not a number: "-1"'),
    (b"*1\r\n$\r\n", 'the length of a bulk string is not a number: ""'),
    (b"*1\r\n$1\r\nab\r", "a bulk string is not as long as its length"),
    (b"*1\r\n$1\r\na\n\n", "a bulk string is not as long as its length"),
]


@pytest.mark.parametrize("stream, fault", MALFORMED)
def test_resp_framing_with_malformed_request_reports_fault(stream: bytes, fault: str) -> None:
    check_case(RESP, stream, [], b"", fault)
    check_case(RESP, GET + b"PING\r\n" + stream, [GET, b"PING\r\n"], b"", fault)


ARRAYS = st.lists(st.binary(max_size=12), max_size=4).map(
    lambda strings: b"*%d\r\n" % len(strings) + b"".join(b"$%d\r\n%b\r\n" % (len(it), it) for it in strings)
)
PARTS = streams(
    b"*",
    b"$",
    b"\r\n",
    b"\n",
    b"\r",
    b"*1\r\n",
    b"$1\r\n",
    b"$0\r\n",
    b"a",
    b"1",
    b"-1",
    b"0" * 11,
    b"PING\r\n",
    most=8,
)
STREAMS = st.lists(ARRAYS | PARTS, max_size=5).map(b"".join)


@given(stream=STREAMS, where=CUTS, kind=KINDS)
def test_resp_framing_cut_anywhere_finds_same_requests(stream: bytes, where: list[int], kind: type[bytes]) -> None:
    check_cutting_never_matters(RESP, stream, where, kind)


@given(stream=STREAMS)
def test_resp_framing_agrees_with_plain_model(stream: bytes) -> None:
    expected, outcome = plainly(stream), cut(RESP, [stream])
    assert (outcome.requests, outcome.left, bool(outcome.fault)) == (*expected[:2], bool(expected.fault))


@given(stream=STREAMS)
def test_resp_framing_consumed_is_start_of_next_request(stream: bytes) -> None:
    check_consumed(RESP, stream)
    check_consumed(RESP.new_framer(), stream)


def test_resp_framing_cuts_long_buffer_in_batches() -> None:
    found, end = RESP.split(GET * 2 * MAX_BATCH, 0)
    assert (len(found), end) == (MAX_BATCH, MAX_BATCH * len(GET))


LEAST = [
    (b"PING", 4),
    (b"*", 1),
    (b"*2\r\n", 4 + 2 * 6),
    (b"*2\r\n$3", 4 + 2 * 6),
    (b"*2\r\n$3\r\n", 4 + 9 + 6),
    (b"*2\r\n$3\r\nGET\r\n", 4 + 9 + 6),
    (b"*2\r\n$3\r\nGET\r\n$1\r", 4 + 9 + 6),
    (b"*1000000000000\r\n", 16 + 6 * 10**12),  # evident before they are there
    (b"*1\r\n$2147483648\r\n", 4 + 13 + 2147483648 + 2),
]


@pytest.mark.parametrize("buffer, least", LEAST)
def test_resp_framing_gives_min_request_length(buffer: bytes, least: int) -> None:
    begun = RESP.new_framer()
    assert RESP.min_length(buffer) == begun.min_length(buffer) == least
    assert begun.split(buffer, 0) == ([], 0)
    assert begun.min_length(buffer) == least


LONG = {
    "a line": (b"", b"a"),
    "an array": (b"*1000000\r\n", b"$1\r\na\r\n"),
    "an array of nothing": (b"*1000000\r\n", b"$0\r\n\r\n"),
    "a string": (b"*1\r\n$1000000\r\n", b"\n"),
}


@pytest.mark.parametrize("begin, more", LONG.values(), ids=LONG)
def test_resp_framing_cuts_long_request_in_linear_work(begin: bytes, more: bytes) -> None:
    check_linear(RESP, begin, more)


def test_resp_framing_rest_at_eof_is_no_request() -> None:
    assert (RESP.eof_completes, RESP.idle_gap) == (False, float("inf"))


def test_resp_framings_with_equal_options_are_equal() -> None:
    assert Resp() == RESP
