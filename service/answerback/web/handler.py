"""The request handler of aiohttp, with our headers and texts on every response, errors included."""

# Rule: no part of a request appears in a response, neither its bytes nor its HTTP version.
# Rule: faults of the peer are not logged.

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError

HEADER_BYTES: Final = 8190  # a line; browsers send to one port of localhost the cookies of all the others
LINGER_SECONDS: Final = 1.0  # seconds to read an unwanted body, so that the peer reads the response before a reset

HEADERS: Final = {
    "Server": "answerback",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
}

ERRORS: Final = {
    HTTPStatus.BAD_REQUEST: "This is not a valid HTTP/1.1 request.\n",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The server failed to respond; see its log.\n",
}

log = logging.getLogger(__name__)


class Handler(web.RequestHandler):
    """One connection. `asked` is called when its request is complete."""

    def __init__(self, http: web.Server, asked: Callable[[], None]) -> None:
        super().__init__(
            http,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own Application passes None too
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            lingering_time=LINGER_SECONDS,
            auto_decompress=False,  # no body is looked at
        )
        self.asked = asked

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002 - aiohttp's own, for the exception that is given too
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
    ) -> web.StreamResponse:
        """Return the response to a request that cannot be parsed, or whose handling failed."""
        self.asked()
        if not isinstance(exc, HttpProcessingError):
            log.error("the response to %s failed", request.path, exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of the response was already sent")
        known = HTTPStatus.BAD_REQUEST if isinstance(exc, HttpProcessingError) else HTTPStatus.INTERNAL_SERVER_ERROR
        return dressed(web.Response(status=known, text=ERRORS[known]))


def dressed(response: web.Response) -> web.Response:
    """Return the response with our headers."""
    response.headers.update(HEADERS)
    response.force_close()
    return response


def make_request(
    message: RawRequestMessage, payload: Any, protocol: web.RequestHandler, writer: Any, task: "asyncio.Task[None]"
) -> web.BaseRequest:
    """Create a request with an HTTP version that we speak: aiohttp responds in the request's version."""
    version = HttpVersion10 if message.version == HttpVersion10 else HttpVersion11
    message = message._replace(version=version)
    return web.BaseRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())
