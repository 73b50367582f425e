"""The step `respond`: an HTTP/1.1 response whose Content-Length and Connection fit the request (RFC 9110, RFC 9112)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from answerback.core.actions import Send
from answerback.core.context import RequestContext
from answerback.core.expressions import Template
from answerback.core.framing.http_fields import asks_to_close, asks_to_keep_alive, method
from answerback.core.steps.base import END_IN_ORDER, Chunks, EndSession, Step

Content = bytes | memoryview | Template
"""Bytes that are always the same, or a template of them."""

FINAL: Final = 200
"""The first status that ends a request; those below it are interim."""
WITHOUT_BODY: Final = frozenset((HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED))
ONE_SEND: Final = 64 << 10  # bytes of a body up to which it is copied behind its head

_REASONS: Final = {status.value: status.phrase for status in HTTPStatus}
_NOT_IN_A_VALUE: Final = bytes.maketrans(b"\r\n\0", b"   ")


def has_body(status: int) -> bool:
    """Whether a response of this status may have a body."""
    return status >= FINAL and status not in WITHOUT_BODY


@dataclass(frozen=True, slots=True)
class Response:
    """A response as it is configured. `closes`: whether the script closes the connection behind it."""

    status: int
    headers: Sequence[tuple[bytes, bytes | Template]] = ()
    body: Content = b""
    closes: bool = False


def respond(response: Response) -> Step:
    """Send a response.

    Content-Length is added unless it, or Transfer-Encoding, is given, or the status or the method allows no body;
    Connection is added, unless it is given, if the connection closes, or if a client of HTTP/1.0 wants it kept open.
    The body is not sent in reply to HEAD.
    """
    status = response.status
    names = {name.lower() for name, _ in response.headers}
    adds_length = has_body(status) and not names & {b"content-length", b"transfer-encoding"}
    adds_connection = status >= FINAL and b"connection" not in names
    render_head, render_body = _head_of(response), _renderer(response.body)

    def step(context: RequestContext) -> Send | Chunks:
        request = context.request
        body, verb = render_body(context), method(request)
        lines = [render_head(context)]
        if adds_length and not (verb == b"CONNECT" and status < 300):
            lines.append(b"Content-Length: %d\r\n" % len(body))
        if adds_connection:
            lines.append(_connection(request, closes=response.closes))
        lines.append(b"\r\n")
        if verb == b"HEAD" or not has_body(status):
            body = b""
        if len(body) > ONE_SEND:
            return _in_two(b"".join(lines), body)
        lines.append(bytes(body))
        return Send(b"".join(lines))

    return step


def close_if_asked(context: RequestContext) -> EndSession | None:
    """End the script: close the connection if the client asked for it."""
    return END_IN_ORDER if asks_to_close(context.request) else None


def _connection(request: bytes, *, closes: bool) -> bytes:
    """Return the header field that says whether the connection stays open; empty if the client expects that."""
    if closes or asks_to_close(request):
        return b"Connection: close\r\n"
    return b"Connection: keep-alive\r\n" if asks_to_keep_alive(request) else b""


def _head_of(response: Response) -> Callable[[RequestContext], bytes]:
    """Return what renders the status line and the header fields that are given."""
    status = response.status
    line = f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\n".encode()
    rendered = [(name, _renderer(value)) for name, value in response.headers]
    constants = [(name, value) for name, value in response.headers if isinstance(value, bytes)]
    if len(constants) == len(rendered):
        constant = line + b"".join(b"%b: %b\r\n" % header for header in constants)
        return lambda _context: constant
    return lambda context: (
        line
        + b"".join(
            b"%b: %b\r\n" % (name, bytes(render(context)).translate(_NOT_IN_A_VALUE)) for name, render in rendered
        )
    )


def _renderer(content: Content) -> Callable[[RequestContext], bytes | memoryview]:
    if isinstance(content, Template):
        return content.render
    return lambda _context: content


def _in_two(lines: bytes, body: bytes | memoryview) -> Chunks:
    yield Send(lines)
    yield Send(body)
