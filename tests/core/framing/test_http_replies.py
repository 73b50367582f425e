from typing import Final

import pytest

from answerback.core.framing import HttpReplies, Malformed
from tests.core.framing.cutting import byte_by_byte, check_linear

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED: Final = b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n"


def cut(stream: bytes, *requests: bytes, whole: bool = True) -> tuple[list[bytes], bytes]:
    """The replies to these requests, and what is left; interim ones answer none."""
    framer, left = HttpReplies().new_framer(), list(requests)
    replies: list[bytes] = []
    buffer = b""
    for piece in [stream] if whole else byte_by_byte(stream):
        searched, buffer = len(buffer), buffer + piece
        while True:
            framer.answers(left[0] if left else b"")
            found, end = framer.split(buffer, searched)
            if not found:
                assert not buffer or framer.min_length(buffer) >= len(buffer) or not framer.eof_completes
                break
            assert framer.consumed(buffer, 1) == end
            replies += found
            buffer, searched = buffer[end:], 0
            if left and not framer.is_extra:
                left.pop(0)
    return replies, buffer


CASES: dict[str, tuple[bytes, list[bytes], list[bytes], bytes]] = {
    "lengths": (OK * 2, [b"GET / HTTP/1.1\r\n\r\n"] * 2, [OK, OK], b""),
    "chunks": (CHUNKED + OK, [], [CHUNKED, OK], b""),
    "half a body": (OK[:-1], [], [], OK[:-1]),
    "half a head": (OK[:20], [], [], OK[:20]),
    "HEAD": (OK[:-2] + OK, [b"HEAD / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"], [OK[:-2], OK], b""),
    "CONNECT": (b"HTTP/1.1 200 OK\r\n\r\n", [b"CONNECT a:1 HTTP/1.1\r\n\r\n"], [b"HTTP/1.1 200 OK\r\n\r\n"], b""),
    "an interim reply to HEAD": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK[:-2] + OK,
        [b"HEAD / HTTP/1.1\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\n", OK[:-2], OK],
        b"",
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n" + OK, [], [b"HTTP/1.1 204 No Content\r\n\r\n", OK], b""),
    "304 with a length": (
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n" + OK,
        [],
        [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", OK],
        b"",
    ),
    "a body to the end": (b"HTTP/1.0 200 OK\r\n\r\nany" + OK, [], [], b"HTTP/1.0 200 OK\r\n\r\nany" + OK),
}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("stream, requests, replies, left", CASES.values(), ids=CASES)
def test_http_replies_are_cut(
    stream: bytes, requests: list[bytes], replies: list[bytes], left: bytes, whole: bool
) -> None:
    assert cut(stream, *requests, whole=whole) == (replies, left)


@pytest.mark.parametrize(
    "stream, extra",
    [(b"HTTP/1.1 103 Early Hints\r\n\r\n", True), (b"HTTP/1.1 101 Switching\r\n\r\n", False), (OK, False)],
)
def test_reply_that_is_interim_answers_no_request(stream: bytes, extra: bool) -> None:
    framer = HttpReplies().new_framer()
    assert framer.split(stream, 0) == ((stream,), len(stream))
    assert framer.is_extra is extra


@pytest.mark.parametrize(
    "stream, request_, switches",
    [
        (b"HTTP/1.1 101 Switching\r\n\r\n", b"", True),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n", False),
        (b"HTTP/1.1 204 None\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n", True),
        (b"HTTP/1.1 204 None\r\n\r\n", b"GET a HTTP/1.1\r\n\r\n", False),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n", False),
    ],
)
def test_what_follows_101_or_the_reply_of_a_tunnel_is_no_reply(stream: bytes, request_: bytes, switches: bool) -> None:
    framer = HttpReplies().new_framer()
    framer.answers(request_)
    assert framer.split(stream + b"rest", 0) == ((stream,), len(stream))
    assert framer.switches is switches
    framer.split(OK, 0)
    assert not framer.switches or request_.startswith(b"CONNECT")


def test_only_connect_and_upgrade_may_end_http() -> None:
    for request, may in (
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nupgrade: websocket\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nUpgrade: no", False),
    ):
        assert HttpReplies().may_switch(request) is HttpReplies().new_framer().may_switch(request) is may


def test_only_a_body_without_a_length_ends_with_the_stream() -> None:
    for stream, to_the_end in ((b"HTTP/1.1 200 OK\r\n\r\nab", True), (OK[:-1], False), (b"HTTP/1.1 200 O", False)):
        framer = HttpReplies().new_framer()
        assert framer.split(stream, 0) == ((), 0)
        assert framer.eof_completes is to_the_end


@pytest.mark.parametrize(
    "stream", [b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 20\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n"]
)
def test_response_without_a_status_line_is_malformed(stream: bytes) -> None:
    for ask in (lambda: HttpReplies().split(stream, 0), lambda: HttpReplies().min_length(stream)):
        with pytest.raises(Malformed, match="the status line is missing"):
            ask()


@pytest.mark.parametrize(
    "buffer, least",
    [
        (b"HTTP/1.1 200 OK\r\n", 17),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", 47 + 1_000_000_000),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", 22),
    ],
)
def test_http_replies_give_min_length(buffer: bytes, least: int) -> None:
    framer = HttpReplies().new_framer()
    assert framer.min_length(buffer) == HttpReplies().min_length(buffer) == least
    framer.split(buffer, 0)
    assert framer.min_length(buffer) == least


@pytest.mark.parametrize(
    "begin, more",
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b"a"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
    ],
)
def test_long_reply_is_cut_in_linear_work(begin: bytes, more: bytes) -> None:
    check_linear(HttpReplies(), begin, more)
