"""Serves Toxiproxy's API over HTTP/1.1, one request for each connection."""

# Rule: browsers are turned away, as Toxiproxy does: an open page must not change a proxy.
# Rule: a change that has begun is finished, although its client has left.

import ipaddress
import logging
from http import HTTPStatus
from typing import Final

from aiohttp import web

from answerback.supervisor import Supervisor, audit
from answerback.toxiproxy.errors import ApiError
from answerback.toxiproxy.routes import TEXT, Answer, Routes, refusal
from answerback.web.accepting import Accepting
from answerback.web.bounded import Bound, BoundedProtocol
from answerback.web.handler import Handler, dressed, make_request
from answerback.web.server import CLOSE_SECONDS, address_of, listen

OPTION: Final = "--toxiproxy-api"
MAX_BODY: Final = 1 << 20  # bytes; aiohttp's own limit for a body that is read at once
CALL_SECONDS: Final = 60.0  # for a request and its answer: preparing a change on stuck workers takes a third of it
BROWSER: Final = "Mozilla/"
FORBIDDEN: Final = Answer(HTTPStatus.FORBIDDEN, "User agent not allowed\n", TEXT)

log = logging.getLogger(__name__)


class Server:
    """Listens at `address`, in which port 0 is replaced by the kernel's choice, and accepts once it has begun."""

    def __init__(self, supervisor: Supervisor, address: str, places: Bound | None = None) -> None:
        """`address` is HOST:PORT. Raises StartError if it cannot listen there."""
        self._sock = listen(address, OPTION)
        self.address = address_of(self._sock)
        self._places = places or bound()
        self._http = web.Server(
            _Requests(Routes(supervisor)).answer, request_factory=make_request, handler_cancellation=False
        )
        self._accepting: Accepting | None = None
        if not ipaddress.ip_address(self._sock.getsockname()[0]).is_loopback:
            log.warning("%s %s: other machines can reach it, and it asks for no token", OPTION, self.address)

    def begin(self) -> None:
        """Answer requests. The supervisor has started."""
        make = lambda asked: Handler(self._http, asked)  # noqa: E731 - one for each connection
        self._accepting = Accepting(self._sock, lambda: BoundedProtocol(self._places, make))

    async def close(self) -> None:
        """Stop listening; finish requests in progress, for at most CLOSE_SECONDS."""
        if self._accepting is None:
            self._sock.close()
            return
        self._accepting.close()
        self._http.pre_shutdown()
        await self._http.shutdown(CLOSE_SECONDS)


def bound() -> Bound:
    """The limits of connections: all clients of a test suite may come from one address."""
    places = Bound(seconds=CALL_SECONDS)
    places.per_peer = places.connections
    return places


class _Requests:
    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    async def answer(self, request: web.BaseRequest) -> web.Response:
        handler = request.protocol
        assert isinstance(handler, Handler)
        found = await self._answer(request, handler)
        headers = {"Content-Type": found.content_type} if found.status != HTTPStatus.NO_CONTENT else {}
        return dressed(web.Response(status=found.status, body=found.body.encode(), headers=headers))

    async def _answer(self, request: web.BaseRequest, handler: Handler) -> Answer:
        if request.headers.get("User-Agent", "").startswith(BROWSER):
            handler.asked()
            return FORBIDDEN
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return refusal(
                ApiError(f"bad request body: more than {MAX_BODY} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            )
        finally:
            handler.asked()
        audit.CALLER.set(audit.Caller(f"http:{request.remote or ''}"))
        return await self._routes.answer(request.method, request.raw_path.partition("?")[0], body)
