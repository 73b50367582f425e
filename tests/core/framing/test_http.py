import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, Http, http_parsing
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Scanned,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    check_linear,
    cut,
    streams,
)
from tests.core.framing.plain_http import plainly

HTTP: Final = Http()
GET: Final = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST: Final = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
CHUNKED: Final = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"

CASES: dict[str, tuple[bytes, list[bytes], bytes]] = {
    "no body": (GET, [GET], b""),
    "pipelined": (GET + POST + b"abcde" + GET, [GET, POST + b"abcde", GET], b""),
    "a body by its length": (POST + b"\r\n\r\n1G", [POST + b"\r\n\r\n1"], b"G"),
    "not the whole head": (GET[:-1], [], GET[:-1]),
    "not the whole body": (POST + b"abcd", [], POST + b"abcd"),
    "LF ends lines too": (b"GET /\nHost: x\n\n", [b"GET /\nHost: x\n\n"], b""),
    "the request line alone": (b"GET /\r\n\r\n", [b"GET /\r\n\r\n"], b""),
    "an empty line before it": (b"\r\n" + GET + b"\n" + GET, [GET, GET], b""),
    "64 empty lines before it": (b"\r\n" * 63 + b"\n" + GET, [GET], b""),
    "nothing but 64 empty lines": (b"\r\n" * 64, [], b"\r\n" * 64),
    "nothing but an empty line": (b"\r\n", [], b"\r\n"),
    "half an empty line": (b"\r", [], b"\r"),
    "no length is no body": (b"POST / HTTP/1.1\r\n\r\n", [b"POST / HTTP/1.1\r\n\r\n"], b""),
    "length 0": (POST.replace(b"5", b"0"), [POST.replace(b"5", b"0")], b""),
    "a length said twice alike": (
        b"P /\r\nContent-Length: 2\r\nCONTENT-LENGTH:02 , 2\r\n\r\nab",
        [b"P /\r\nContent-Length: 2\r\nCONTENT-LENGTH:02 , 2\r\n\r\nab"],
        b"",
    ),
    "other fields are not looked at": (
        b"P /\r\nX-Content-Length: 9\r\nContent-Length-X: 9\r\n Content-Length: 9\r\n\r\n",
        [b"P /\r\nX-Content-Length: 9\r\nContent-Length-X: 9\r\n Content-Length: 9\r\n\r\n"],
        b"",
    ),
    "the request line is no field": (b"\nContent-Length: 3\n\n", [b"Content-Length: 3\n\n"], b""),
    "chunked": (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", [CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"], b""),
    "chunk sizes are hex": (
        CHUNKED + b"0a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n",
        [CHUNKED + b"0a\r\n0123456789\r\nA\r\n0123456789\r\n00\r\n\r\n"],
        b"",
    ),
    "chunk extensions": (
        CHUNKED + b"1;a=b\r\nx\r\n0 ;last\r\n\r\n",
        [CHUNKED + b"1;a=b\r\nx\r\n0 ;last\r\n\r\n"],
        b"",
    ),
    "a chunk that looks like the last": (
        CHUNKED + b"5\r\n0\r\n\r\n\r\n0\r\n\r\n",
        [CHUNKED + b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"],
        b"",
    ),
    "trailers": (
        CHUNKED + b"0\r\nContent-Length: 7\r\nX: y\n\n" + GET,
        [CHUNKED + b"0\r\nContent-Length: 7\r\nX: y\n\n", GET],
        b"",
    ),
    "trailers not all there": (CHUNKED + b"0\r\nX: y\r\n", [], CHUNKED + b"0\r\nX: y\r\n"),
    "other codings before chunked": (
        CHUNKED.replace(b"chunked", b"gzip,, Chunked ,") + b"0\r\n\r\n",
        [CHUNKED.replace(b"chunked", b"gzip,, Chunked ,") + b"0\r\n\r\n"],
        b"",
    ),
    "as many lengths as there may be": (
        b"P /\r\n" + b"Content-Length: 0\r\n" * 16 + b"\r\n",
        [b"P /\r\n" + b"Content-Length: 0\r\n" * 16 + b"\r\n"],
        b"",
    ),
    "codings in several fields": (
        b"P /\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        [b"P /\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        b"",
    ),
}


@pytest.mark.parametrize("stream, requests, left", CASES.values(), ids=CASES)
def test_http_framing_cuts_stream_into_requests(stream: bytes, requests: list[bytes], left: bytes) -> None:
    check_case(HTTP, stream, requests, left)


def head(*fields: bytes) -> bytes:
    return b"P / HTTP/1.1\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


NO_NUMBER = "Content-Length is not a number"
LAST_CODING = "chunked must be the last transfer coding, and only once"
NO_SIZE = "a chunk does not start with its size"

MALFORMED: list[tuple[bytes, str]] = [
    (b"\r\n" * 65, "the request line is missing"),
    (b"\n" * 64 + b"\r", "the request line is missing"),
    (b"\n\rG", "the request line is missing"),
    (b"\rG", "the request line is missing"),
    (head(b"Content-Length: x"), NO_NUMBER),
    (head(b"Content-Length:"), NO_NUMBER),
    (head(b"Content-Length: -1"), NO_NUMBER),
    (head(b"Content-Length: +1"), NO_NUMBER),
    (head(b"Content-Length: 1_0"), NO_NUMBER),
    (head(b"Content-Length: 0x1"), NO_NUMBER),
    (head(b"Content-Length: 1 1"), NO_NUMBER),
    (head(b"Content-Length: 1,"), NO_NUMBER),
    (head(b"Content-Length: \xb2"), NO_NUMBER),
    (head(b"Content-Length: 1", b" 1"), NO_NUMBER),
    (head(b"Content-Length: " + b"9" * 10_000), NO_NUMBER),
    (head(b"Content-Length: 1, 2"), "several values of Content-Length"),
    (head(b"Content-Length: 1", b"content-length: 2"), "several values of Content-Length"),
    (head(b"Content-Length : 1"), "white space before the colon of a header field"),
    (head(b"Transfer-Encoding\t: chunked"), "white space before the colon of a header field"),
    (head(b"Transfer-Encoding: chunked", b"Content-Length: 1"), "both Content-Length and Transfer-Encoding"),
    (head(b"Transfer-Encoding:"), LAST_CODING),
    (head(b"Transfer-Encoding: gzip"), LAST_CODING),
    (head(b"Transfer-Encoding: chunked, gzip"), LAST_CODING),
    (head(b"Transfer-Encoding: chunked, chunked"), LAST_CODING),
    (head(b"Transfer-Encoding: gzip,", b" chunked"), LAST_CODING),
    (head(*[b"Content-Length: 1"] * 17), "too many or too long values of Content-Length or Transfer-Encoding"),
    (
        head(b"Transfer-Encoding: gzip,", *[b" gzip,"] * 16, b" chunked"),
        "too many or too long values of Content-Length or Transfer-Encoding",
    ),
    (
        head(b"Transfer-Encoding: " + b"," * 16384 + b"chunked"),
        "too many or too long values of Content-Length or Transfer-Encoding",
    ),
    (CHUNKED + b"\r\n", NO_SIZE),
    (CHUNKED + b"x\r\n", NO_SIZE),
    (CHUNKED + b"-1\r\n", NO_SIZE),
    (CHUNKED + b"0x1\r\n", NO_SIZE),
    (CHUNKED + b"1\n", NO_SIZE),
    (CHUNKED + b"1;a\rb\r\n", NO_SIZE),
    (CHUNKED + b"0" * 17 + b"\r\n", NO_SIZE),
    (CHUNKED + b"1\r\nab\r", "a chunk is not as long as its size"),
    (CHUNKED + b"1\r\na\n\n", "a chunk is not as long as its size"),
]


@pytest.mark.parametrize("stream, fault", MALFORMED)
def test_http_framing_with_malformed_request_reports_fault(stream: bytes, fault: str) -> None:
    check_case(HTTP, stream, [], b"", fault)
    check_case(HTTP, GET + GET + stream, [GET, GET], b"", fault)


PARTS = [
    b"GET / HTTP/1.1\r\n", b"\r\n", b"\n", b"\r", b" ", b"Content-Length: 3\r\n", b"content-length:3, 3\n",
    b"Content-Length : 1\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"X: y\r\n",
    b"\tfolded\n", b"3\r\nabc\r\n", b"1;x=y\r\n", b"0\r\n", b"ab", b"0", b":", b",",
]  # fmt: skip
HEADS = st.lists(st.sampled_from(PARTS[5:12]), max_size=3).map(b"".join)
BODIES = st.sampled_from(
    [b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabc\r\n2 ;e\r\nde\r\n0\r\nX: y\r\n\r\n", b"0\r\n\r\n"]
)
LIKELY = st.builds(lambda fields, body: b"P / HTTP/1.1\r\n" + fields + b"\r\n" + body, HEADS, BODIES)
STREAMS = st.lists(LIKELY | streams(*PARTS, most=6), max_size=4).map(b"".join)


@given(stream=STREAMS, where=CUTS, kind=KINDS)
def test_http_framing_cut_anywhere_finds_same_requests(stream: bytes, where: list[int], kind: type[bytes]) -> None:
    check_cutting_never_matters(HTTP, stream, where, kind)


@given(stream=STREAMS)
def test_http_framing_agrees_with_plain_model(stream: bytes) -> None:
    expected, outcome = plainly(stream), cut(HTTP, [stream])
    assert (outcome.requests, outcome.left, bool(outcome.fault)) == (*expected[:2], bool(expected.fault))


@given(stream=STREAMS)
def test_http_framing_consumed_is_start_of_next_request(stream: bytes) -> None:
    check_consumed(HTTP, stream)
    check_consumed(HTTP.new_framer(), stream)


def test_http_framing_cuts_long_buffer_in_batches() -> None:
    found, end = HTTP.split(GET * 2 * MAX_BATCH, 0)
    assert (len(found), end) == (MAX_BATCH, MAX_BATCH * len(GET))


LEAST = [
    (b"\r\n", 0),
    (b"\r\n\r\n\r", 1),
    (b"\r\nGET /", 5),
    (GET[:-1], len(GET) - 1),
    (POST, len(POST) + 5),
    (b"\n" + POST + b"abc", len(POST) + 5),
    (POST.replace(b"5", b"9" * 20), len(POST) + 19 + int(b"9" * 20)),  # evident before it is there
    (CHUNKED + b"ff", len(CHUNKED) + 2),
    (CHUNKED + b"ff\r\na", len(CHUNKED) + 4 + 255),
    (CHUNKED + b"1\r\na\r\n0\r\nX", len(CHUNKED) + 10),
]


@pytest.mark.parametrize("buffer, least", LEAST)
def test_http_framing_gives_min_request_length(buffer: bytes, least: int) -> None:
    begun = HTTP.new_framer()
    assert HTTP.min_length(buffer) == begun.min_length(buffer) == least
    assert begun.split(buffer, 0) == ([], 0)
    assert begun.min_length(buffer) == least


LONG = {
    "a request line": (b"", b"a"),
    "fields": (b"GET /\r\n", b"Content-Length: 1\r\n"),
    "a field": (b"GET /\r\nContent-Length:", b" "),
    "folded lines": (b"GET /\r\nContent-Length: 1\r\n", b" \r\n"),
    "carriage returns": (b"GET /\r\n", b"\r"),
    "a body": (head(*[b"X: y"] * 50, b"Content-Length: 1000000"), b"a"),
    "chunks": (CHUNKED, b"1\r\na\r\n"),
    "a chunk": (CHUNKED + b"fffff\r\n", b"a"),
    "a chunk extension": (CHUNKED + b"1;", b"a"),
    "trailers": (CHUNKED + b"0\r\n", b"a:\r\n"),
}


class CountedSearch:
    """Counts the bytes that are gone through for the end of a head."""

    search_plainly = http_parsing.END_OF_FIELDS.search

    def search(self, buffer: Scanned, begin: int) -> re.Match[bytes] | None:
        buffer.bytes_scanned += len(buffer) - begin
        return self.search_plainly(buffer, begin)


@pytest.mark.parametrize("begin, more", LONG.values(), ids=LONG)
def test_http_framing_cuts_long_request_in_linear_work(
    begin: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_parsing, "END_OF_FIELDS", CountedSearch())
    check_linear(HTTP, begin, more)


def test_http_framing_rest_at_eof_is_no_request() -> None:
    assert (HTTP.eof_completes, HTTP.idle_gap) == (False, float("inf"))


def test_http_framings_with_equal_options_are_equal() -> None:
    assert Http() == HTTP
