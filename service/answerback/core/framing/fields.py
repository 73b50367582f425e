"""What expressions may ask of a request, by its framing: functions of the context of an evaluation."""

from collections.abc import Callable

from answerback.core.context import RequestContext
from answerback.core.expressions import EvaluationError
from answerback.core.framing import http_fields, resp_fields
from answerback.core.framing.length_prefix import LengthPrefixed
from answerback.core.framing.websocket import WebSocketFrame


def http(part: Callable[..., bytes]) -> Callable[..., bytes]:
    """Return the evaluation of a part of an HTTP request, a function in `http_fields`."""

    def evaluate(context: RequestContext, *arguments: bytes) -> bytes:
        request = context.request
        if isinstance(request, WebSocketFrame):
            raise EvaluationError("a WebSocket frame is not an HTTP request")
        try:
            return part(request, *arguments)
        except ValueError as problem:
            raise EvaluationError(str(problem)) from None

    return evaluate


http_method = http(http_fields.method)
http_target = http(http_fields.target)
http_path = http(http_fields.path)
http_query = http(http_fields.query)
http_version = http(http_fields.version)
http_header = http(http_fields.header)
http_body = http(http_fields.body)


def resp_argument(context: RequestContext, at: int) -> bytes:
    """Return an argument of a Redis command."""
    try:
        return resp_fields.argument(context.request, at)
    except IndexError:
        raise EvaluationError(f"the command has no argument {at}") from None


def frame_head(context: RequestContext) -> bytes:
    """Return the request up to the end of its length; empty if that was stripped."""
    request = _length_prefixed(context)
    return request[: request.body]


def frame_body(context: RequestContext) -> bytes:
    """Return the request behind its length."""
    request = _length_prefixed(context)
    return request[request.body :]


def frame_opcode(context: RequestContext) -> int:
    """Return the opcode of a WebSocket frame."""
    return _websocket(context).opcode


def frame_fin(context: RequestContext) -> bool:
    """Return whether a WebSocket frame is the last one of its message."""
    return _websocket(context).fin


def _length_prefixed(context: RequestContext) -> LengthPrefixed:
    request = context.request
    if not isinstance(request, LengthPrefixed):
        raise EvaluationError("the request was not framed by length_prefix")
    return request


def _websocket(context: RequestContext) -> WebSocketFrame:
    request = context.request
    if not isinstance(request, WebSocketFrame):
        raise EvaluationError("the request is not a WebSocket frame")
    return request
