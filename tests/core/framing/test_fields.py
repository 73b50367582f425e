from collections.abc import Callable
from typing import cast

import pytest

from answerback.core.context import RequestContext
from answerback.core.expressions import EvaluationError
from answerback.core.framing import Encoding, Framing, LengthPrefix, WebSocket, fields
from tests.core.framing.test_http_fields import CHUNKED, POST
from tests.core.framing.test_websocket import frame
from tests.core.turns import MadeUp


def context(request: bytes) -> RequestContext:
    return cast("RequestContext", MadeUp(request))


def first(framing: Framing, stream: bytes) -> RequestContext:
    requests, _ = framing.split(stream, 0)
    return context(requests[0])


def test_parts_of_an_http_request_are_fields() -> None:
    turn = context(POST)
    assert fields.http_method(turn) == b"POST"
    assert fields.http_target(turn) == b"/a/b?x=1&y=2"
    assert fields.http_path(turn) == b"/a/b"
    assert fields.http_query(turn) == b"x=1&y=2"
    assert fields.http_version(turn) == b"HTTP/1.1"
    assert fields.http_header(turn, b"x-MANY") == b"1, 2"
    assert fields.http_body(turn) == b"body"
    assert fields.http_body(context(CHUNKED)) == b"abc\r\n"


def test_body_that_is_not_decoded_has_no_value() -> None:
    too_many = b"P /\nTransfer-Encoding: chunked\n\n" + b"1\r\na\r\n" * 20_001
    with pytest.raises(EvaluationError, match="the body has more than 20000 chunks"):
        fields.http_body(context(too_many))


def test_argument_of_a_redis_command_is_a_field() -> None:
    turn = context(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
    assert fields.resp_argument(turn, 0) == b"GET"
    assert fields.resp_argument(turn, -1) == b"k"
    for at in (2, -3):
        with pytest.raises(EvaluationError, match=f"the command has no argument {at}"):
            fields.resp_argument(turn, at)


def test_head_and_body_of_a_length_prefixed_request_are_fields() -> None:
    turn = first(LengthPrefix(offset=1, encoding=Encoding.VARINT), b"0\x80\x01" + bytes(128))
    assert (fields.frame_head(turn), fields.frame_body(turn)) == (b"0\x80\x01", bytes(128))
    turn = first(LengthPrefix(width=1, strip=True), b"\x03abc")
    assert (fields.frame_head(turn), fields.frame_body(turn)) == (b"", b"abc")


def test_opcode_and_fin_of_a_websocket_frame_are_fields() -> None:
    turn = first(WebSocket(), frame(b"x", 2, fin=False))
    assert (fields.frame_opcode(turn), fields.frame_fin(turn)) == (2, False)


NOT_THEIRS: list[tuple[Callable[[RequestContext], object], str]] = [
    (fields.frame_opcode, "the request is not a WebSocket frame"),
    (fields.frame_fin, "the request is not a WebSocket frame"),
    (fields.frame_head, "the request was not framed by length_prefix"),
    (fields.frame_body, "the request was not framed by length_prefix"),
]


@pytest.mark.parametrize("field, problem", NOT_THEIRS)
def test_field_of_another_framing_has_no_value(field: Callable[[RequestContext], object], problem: str) -> None:
    with pytest.raises(EvaluationError, match=problem):
        field(context(b"plain"))


def test_websocket_frame_is_not_an_http_request() -> None:
    turn = first(WebSocket(), frame(b"GET / HTTP/1.1\r\n\r\n"))
    with pytest.raises(EvaluationError, match="a WebSocket frame is not an HTTP request"):
        fields.http_method(turn)
