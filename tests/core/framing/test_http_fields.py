import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import Http, Malformed, http_fields
from answerback.core.framing.http import HttpBody
from answerback.core.framing.http_fields import MAX_CHUNKS, MAX_VALUES
from tests.core.framing.test_http import STREAMS

POST = (
    b"POST /a/b?x=1&y=2 HTTP/1.1\r\nHost: it\r\nX-Many: 1\r\nx-many:2 \t\r\nFolded: a\r\n \t b\r\nEmpty:\r\n"
    b"Content-Length: 4\r\n\r\nbody"
)
CHUNKED = b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;ext=1\r\n\r\n\r\n0\r\nX: y\r\n\r\n"

REQUEST_LINES = [
    (b"GET / HTTP/1.1", b"GET", b"/", b"/", b"", b"HTTP/1.1"),
    (b"get /a?b?c HTTP/1.0", b"get", b"/a?b?c", b"/a", b"b?c", b"HTTP/1.0"),
    (b"GET /?", b"GET", b"/?", b"/", b"", b""),
    (b"OPTIONS * HTTP/1.1", b"OPTIONS", b"*", b"*", b"", b"HTTP/1.1"),
    (b"CONNECT h:443 HTTP/1.1", b"CONNECT", b"h:443", b"h:443", b"", b"HTTP/1.1"),
    (b"GET http://h:1/p?q HTTP/1.1", b"GET", b"http://h:1/p?q", b"/p", b"q", b"HTTP/1.1"),
    (b"GET HTTP://h HTTP/1.1", b"GET", b"HTTP://h", b"/", b"", b"HTTP/1.1"),
    (b"GET http://h?q HTTP/1.1", b"GET", b"http://h?q", b"/", b"q", b"HTTP/1.1"),
    (b"GET /a?u=http://h/ HTTP/1.1", b"GET", b"/a?u=http://h/", b"/a", b"u=http://h/", b"HTTP/1.1"),
    (b"GET /a b HTTP/1.1", b"GET", b"/a b", b"/a b", b"", b"HTTP/1.1"),
    (b"GET   /a   HTTP/1.1 ", b"GET", b"/a", b"/a", b"", b"HTTP/1.1"),
    (b"GET", b"GET", b"", b"", b"", b""),
    (b"GET HTTP/1.1", b"GET", b"", b"", b"", b"HTTP/1.1"),
    (b"", b"", b"", b"", b"", b""),
    (b"\xff /\xff HTTP/1.1", b"\xff", b"/\xff", b"/\xff", b"", b"HTTP/1.1"),
]


@pytest.mark.parametrize("line, method, target, path, query, version", REQUEST_LINES)
@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\nA: b c\r\n\r\n", b""])
def test_parts_of_the_request_line(
    line: bytes, method: bytes, target: bytes, path: bytes, query: bytes, version: bytes, end: bytes
) -> None:
    request = line + end
    assert http_fields.method(request) == method
    assert http_fields.target(request) == target
    assert http_fields.path(request) == path
    assert http_fields.query(request) == query
    assert http_fields.version(request) == version


HEADERS = [
    (b"Host", b"it"),
    (b"hOST", b"it"),
    (b"X-Many", b"1, 2"),
    (b"Folded", b"a  \t b"),
    (b"empty", b""),
    (b"Many", b""),
    (b"X.Many", b""),
    (b"", b""),
    (b"POST", b""),
    (b"body", b""),
]


@pytest.mark.parametrize("name, value", HEADERS)
def test_header_is_found_whatever_its_case_and_joined_if_repeated(name: bytes, value: bytes) -> None:
    assert http_fields.header(POST, name) == value


def test_header_is_not_looked_for_in_the_body() -> None:
    assert http_fields.header(POST + b"\r\nLate: 1\r\n", b"late") == b""


def test_header_lines_may_end_with_lf_alone() -> None:
    assert http_fields.header(b"GET /\nA: 1\nA:2\n\n", b"a") == b"1, 2"


def test_body_of_a_chunked_request_is_decoded() -> None:
    assert http_fields.body(POST) == b"body"
    assert http_fields.body(CHUNKED) == b"abc\r\n"
    assert http_fields.body(b"GET / HTTP/1.1\r\n\r\n") == b""
    assert http_fields.body(b"GET /") == b""


def test_body_of_too_many_chunks_is_not_decoded() -> None:
    head = b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert http_fields.body(head + b"1\r\na\r\n" * MAX_CHUNKS + b"0\r\n\r\n") == b"a" * MAX_CHUNKS
    with pytest.raises(ValueError, match=f"the body has more than {MAX_CHUNKS} chunks"):
        http_fields.body(head + b"1\r\na\r\n" * (MAX_CHUNKS + 1) + b"0\r\n\r\n")


def test_header_that_is_repeated_too_often_is_cut() -> None:
    request = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_VALUES + 1) + b"\r\n"
    assert http_fields.header(request, b"a") == b", ".join([b"b"] * MAX_VALUES)


def test_body_that_is_a_request_of_its_own_knows_its_head() -> None:
    framer = Http(head_first=True).new_framer()
    (head, body), _ = framer.split(CHUNKED, 0)
    assert isinstance(body, HttpBody)
    assert http_fields.head(head) == http_fields.head(body) == head
    assert http_fields.method(body) == b"PUT"
    assert http_fields.path(body) == b"/c"
    assert http_fields.header(body, b"transfer-encoding") == b"chunked"
    assert (http_fields.body(head), http_fields.body(body)) == (b"", b"abc\r\n")


CLOSES = [
    (b"HTTP/1.1", b"", False, False),
    (b"HTTP/1.1", b"Connection: close", True, False),
    (b"HTTP/1.1", b"connection: Upgrade , CLOSE", True, False),
    (b"HTTP/1.1", b"Connection: closed", False, False),
    (b"HTTP/1.1", b"Connection: keep-alive", False, False),
    (b"HTTP/1.0", b"", True, False),
    (b"HTTP/1.0", b"Connection: Keep-Alive", False, True),
    (b"HTTP/1.0", b"Connection: keep-alive\r\nConnection: close", True, False),
    (b"", b"", False, False),
]


@pytest.mark.parametrize("version, field, closes, keeps", CLOSES)
def test_client_asks_to_close_or_to_keep_the_connection(
    version: bytes, field: bytes, closes: bool, keeps: bool
) -> None:
    request = b"GET / " + version + b"\r\n" + field + b"\r\n\r\n"
    assert http_fields.asks_to_close(request) == closes
    assert http_fields.asks_to_keep_alive(request) == keeps


READERS: list[Callable[[bytes], object]] = [
    http_fields.method,
    http_fields.target,
    http_fields.path,
    http_fields.query,
    http_fields.version,
    http_fields.body,
    http_fields.asks_to_close,
    lambda request: http_fields.header(request, b"content-length"),
]


@given(stream=STREAMS | st.binary())
def test_fields_of_any_bytes_are_found_without_an_error(stream: bytes) -> None:
    for reader in READERS:
        reader(stream)


@given(stream=STREAMS)
def test_body_is_that_of_the_request(stream: bytes) -> None:
    try:
        requests, _ = Http().split(stream, 0)
    except Malformed:
        return
    for request in requests:
        head, body = http_fields.head(request), http_fields.body(request)
        assert request.startswith(head)
        if b"chunked" not in head:
            assert head + body == request


HOSTILE = {
    "spaces": b" ",
    "words": b"a ",
    "versions": b" HTTP/1.1",
    "schemes": b"a://",
    "lines": b"\r\n",
    "folded lines": b"\n ",
    "names": b"content-length ",
    "fields": b"content-length:\n",
    "connection": b",",
    "chunks": b"100\r\n" + bytes(256) + b"\r\n",
    "digits": b"0",
}


def cost(reader: Callable[[bytes], object], request: bytes) -> float:
    """The least processor time of a few calls."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        reader(request)
        times.append(time.thread_time() - began)
    return min(times)


@pytest.mark.parametrize(
    "begin", [b"", b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET / HTTP/1.1\r\nConnection:"]
)
@pytest.mark.parametrize("more", HOSTILE.values(), ids=HOSTILE)
def test_fields_of_a_long_request_take_linear_time(begin: bytes, more: bytes) -> None:
    """It would take sixteen times as long if it were quadratic: seconds, for the longer one."""
    for reader in READERS:
        short, long = (cost(reader, begin + more * (size // len(more)) + b"\n\n") for size in (1 << 15, 1 << 17))
        assert long < 10 * short + 0.002
