"""A head that is a request of its own, and the interim reply that a client waits for."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, Buffer, Framing, Http, Malformed, http_parsing
from answerback.core.framing.http import CONTINUE, HttpBody
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Scanned,
    ScannedByRe,
    byte_by_byte,
    check_found,
    check_linear,
    in_pieces,
    kept,
)
from tests.core.framing.test_http import CHUNKED, GET, LONG, MALFORMED, POST, STREAMS

WHOLE, HEAD_FIRST = Http(), Http(head_first=True)
EXPECTING: Final = b"PUT / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
ENCLOSING: Final = POST.replace(b"5", b"%d" % len(GET))
CHUNKS: Final = b"3\r\nabc\r\n0\r\n\r\n"

Heard = list[tuple[str, bytes, bytes]]
"""What was found: a head; a body with its head; a fault."""


def heard(pieces: list[bytes], kind: type[bytes] | type[bytearray] = bytearray, batch: int = MAX_BATCH) -> Heard:
    """Feed a stream in these pieces, consuming at most `batch` requests at once."""
    framer = HEAD_FIRST.new_framer()
    found: Heard = []
    buffer: Buffer = kind()
    searched = promised = 0
    for piece in pieces:
        buffer += piece
        more = True
        while more:
            try:
                requests, end = framer.split(buffer, searched)
                check_found(buffer, requests, end)
                searched = 0
                if requests:
                    assert len(requests[0]) >= promised
                    promised = 0
                more = len(requests) == MAX_BATCH or len(requests) > batch
                if len(requests) > batch:
                    requests, end = requests[:batch], framer.consumed(buffer, batch)
                for request in requests:
                    if isinstance(request, HttpBody):
                        found.append(("body", request, request.head))
                    else:
                        found.append(("head", request, b""))
                buffer = kept(buffer, end)
                if not more and buffer:
                    searched = len(buffer)
                    promised = max(promised, framer.min_length(buffer))
            except Malformed as fault:
                return [*found, ("fault", str(fault).encode(), b"")]
    return [*found, ("left", bytes(buffer), b"")]


CASES: dict[str, tuple[bytes, Heard]] = {
    "no body": (GET + b"\r\n" + GET, [("head", GET, b""), ("head", GET, b""), ("left", b"", b"")]),
    "a body by its length": (
        POST + b"abcde" + GET,
        [("head", POST, b""), ("body", b"abcde", POST), ("head", GET, b""), ("left", b"", b"")],
    ),
    "a body that is not whole": (POST + b"abcd", [("head", POST, b""), ("left", b"abcd", b"")]),
    "no byte of the body": (POST, [("head", POST, b""), ("left", b"", b"")]),
    "length 0 is no body": (
        POST.replace(b"5", b"0") + GET,
        [("head", POST.replace(b"5", b"0"), b""), ("head", GET, b""), ("left", b"", b"")],
    ),
    "chunks": (
        CHUNKED + CHUNKS + CHUNKED + b"0\r\n\r\n",
        [
            ("head", CHUNKED, b""),
            ("body", CHUNKS, CHUNKED),
            ("head", CHUNKED, b""),
            ("body", b"0\r\n\r\n", CHUNKED),
            ("left", b"", b""),
        ],
    ),
    "a body like a head": (
        ENCLOSING + GET + GET,
        [("head", ENCLOSING, b""), ("body", GET, ENCLOSING), ("head", GET, b""), ("left", b"", b"")],
    ),
    "a fault in a body": (
        CHUNKED + b"x\r\n",
        [("head", CHUNKED, b""), ("fault", b"a chunk does not start with its size", b"")],
    ),
}


@pytest.mark.parametrize("stream, expected", CASES.values(), ids=CASES)
def test_head_is_a_request_and_its_body_the_next(stream: bytes, expected: Heard) -> None:
    for kind in (bytes, bytearray):
        assert heard([stream], kind) == expected
        assert heard(byte_by_byte(stream), kind) == expected
    assert heard([stream], batch=1) == expected


def whole(stream: bytes) -> bytes:
    """All requests in a row, as the framing that does not divide them finds them; and what is left."""
    framer = WHOLE.new_framer()
    found = b""
    while True:
        try:
            requests, end = framer.split(stream, 0)
        except Malformed:
            return found
        found += b"".join(requests)
        stream = stream[end:]
        if len(requests) < MAX_BATCH:
            return found


@given(stream=STREAMS, where=CUTS, kind=KINDS, batch=st.integers(1, 3))
def test_head_first_framing_cut_anywhere_finds_same_requests(
    stream: bytes, where: list[int], kind: type[bytes], batch: int
) -> None:
    expected = heard([stream])
    assert heard(in_pieces(stream, where), kind) == expected
    assert heard(byte_by_byte(stream)) == expected
    assert heard([stream], batch=batch) == expected
    assert b"".join(request for what, request, _ in expected if what in {"head", "body"}).startswith(whole(stream))


@pytest.mark.parametrize("stream, fault", MALFORMED)
def test_head_first_framing_finds_the_same_faults(stream: bytes, fault: str) -> None:
    for pieces in ([GET + stream], [GET, *byte_by_byte(stream)]):
        assert heard(pieces)[-1] == ("fault", fault.encode(), b"")


@pytest.mark.parametrize("begin, more", LONG.values(), ids=LONG)
def test_head_first_framing_cuts_long_head_or_body_in_linear_work(
    begin: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_parsing, "END_OF_FIELDS", ScannedByRe(http_parsing.END_OF_FIELDS))
    end = begin.rfind(b"\r\n\r\n") + 4
    if end > 3:  # the head is a request, so the rest alone is unfinished
        framer = HEAD_FIRST.new_framer()
        assert framer.split(Scanned(begin[:end]), 0)[1] == end
        check_linear(_Begun(framer), begin[end:], more)  # type: ignore[arg-type]
    else:
        check_linear(HEAD_FIRST, begin, more)


class _Begun:
    """A framing whose next framer has begun already."""

    def __init__(self, framer: Framing) -> None:
        self._framer = framer

    def new_framer(self) -> Framing:
        return self._framer


def test_head_first_framing_differs_from_the_framing_of_whole_requests() -> None:
    assert Http(head_first=True) == HEAD_FIRST
    assert HEAD_FIRST != WHOLE


def test_length_of_an_announced_body_is_known_before_its_first_byte() -> None:
    framer = HEAD_FIRST.new_framer()
    framer.split(POST, 0)
    assert framer.min_length(b"") == framer.min_length(b"a") == 5
    framer.split(b"abcde", 0)
    assert framer.min_length(b"") == 0


# ── Interim replies ───────────────────────────────────────────────────────────────────────────────────────────────────

BOTH = pytest.mark.parametrize("framing", [WHOLE, HEAD_FIRST], ids=["whole", "head first"])


def prompts(framing: Framing, *pieces: bytes, send: bool = True) -> list[bytes]:
    """The interim reply that is due behind each piece; it is sent, if it is."""
    framer = framing.new_framer()
    buffer, searched, found = b"", 0, []
    for piece in pieces:
        buffer += piece
        _, end = framer.split(buffer, searched)
        buffer = buffer[end:]
        searched = len(buffer)
        found.append(framer.interim)
        if send:
            framer.interim_sent()
    return found


@BOTH
def test_interim_reply_is_due_once_where_a_body_is_awaited(framing: Framing) -> None:
    assert prompts(framing, EXPECTING[:-1], EXPECTING[-1:], b"a", b"b", b"c") == [b"", CONTINUE, b"", b"", b""]
    assert prompts(framing, EXPECTING + b"a", b"bc" + EXPECTING, b"abc") == [CONTINUE, CONTINUE, b""]


@BOTH
def test_interim_reply_that_was_not_sent_stays_due_until_the_body_is_there(framing: Framing) -> None:
    assert prompts(framing, EXPECTING, b"a", b"bc", send=False) == [CONTINUE, CONTINUE, b""]


@BOTH
def test_no_interim_reply_is_due_behind_the_body(framing: Framing) -> None:
    assert prompts(framing, EXPECTING + b"abc") == [b""]
    assert prompts(framing, EXPECTING.replace(b"3", b"0")) == [b""]


EXPECTATIONS = {
    b"Expect: 100-continue\r\n": True,
    b"EXPECT:100-CONTINUE\r\n": True,
    b"Expect: \t100-continue \t\r\n": True,
    b"Expect: 100-continue\n": True,
    b"Expect: 101-continue\r\n": False,
    b"Expect: 100-continue, more\r\n": False,
    b"X-Expect: 100-continue\r\n": False,
    b"X: y\r\n Expect: 100-continue\r\n": False,
    b"": False,
}


@BOTH
@pytest.mark.parametrize("field, expects", EXPECTATIONS.items())
@pytest.mark.parametrize("body", [b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_interim_reply_is_due_for_100_continue_alone(
    framing: Framing, field: bytes, expects: bool, body: bytes
) -> None:
    head = b"PUT / HTTP/1.1\r\n" + body + field + b"\r\n"
    assert prompts(framing, head) == [CONTINUE if expects else b""]


@BOTH
def test_client_of_http_1_0_gets_no_interim_reply(framing: Framing) -> None:
    assert prompts(framing, EXPECTING.replace(b"1.1", b"1.0")) == [b""]
    assert prompts(framing, EXPECTING.replace(b" / ", b" /HTTP/1.0 ")) == [CONTINUE]


@BOTH
def test_requests_that_were_not_consumed_leave_the_interim_reply_due(framing: Framing) -> None:
    framer = framing.new_framer()
    framer.split(GET + EXPECTING, 0)
    behind = (GET + EXPECTING)[framer.consumed(GET + EXPECTING, 1) :]
    framer.split(behind, 0)
    assert framer.interim == CONTINUE
    framer.interim_sent()
    assert framer.interim == b""
