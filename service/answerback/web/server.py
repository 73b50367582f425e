"""Serves metrics, probes and a page over HTTP/1.1: answers GET and HEAD, then closes the connection."""

import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from answerback.supervisor.errors import StartError
from answerback.web.accepting import Accepting
from answerback.web.bounded import Bound, BoundedProtocol
from answerback.web.flights import Flights
from answerback.web.handler import Handler, dressed, make_request

# Rule: requests change nothing.
# Rule: one request per connection: a scraper comes every few seconds, and an idle connection would take up a place.
# Rule: metrics and the page are rendered in a thread, one at a time, and at most one rendering of each kind waits: each
#       listener costs 2 ms.

OPTION: Final = "--metrics"
METHODS: Final = ("GET", "HEAD")
BACKLOG: Final = 128
CLOSE_SECONDS: Final = 1.0  # for responses in progress
OPENMETRICS: Final = "application/openmetrics-text"

Health = Callable[[str], str | None]
Note = Callable[[], str]
Render = Callable[[str, Callable[[], bool]], tuple[bytes, str]]
"""Returns the body and its content type for one of KINDS; called in a thread."""

PAGE, TEXT_METRICS, OPEN_METRICS = KINDS = ("page", "text metrics", "open metrics")


class Server:
    """Listens at `address`, in which port 0 is replaced by the kernel's choice."""

    def __init__(self, address: str, http: web.Server, accepting: Accepting, pages: "_Pages") -> None:
        self.address = address
        self._http = http
        self._accepting = accepting
        self._pages = pages

    async def close(self) -> None:
        """Stop listening; finish requests in progress, for at most CLOSE_SECONDS."""
        self._accepting.close()
        self._http.pre_shutdown()
        await self._http.shutdown(CLOSE_SECONDS)
        self._pages.close()


async def start(address: str, *, health: Health, note: Note, render: Render, bound: Bound | None = None) -> Server:
    """Serve at `address` (`HOST:PORT`). Raises StartError if it cannot listen there.

    `health` returns what is wrong with `liveness` or `readiness`, or None; `note` returns a warning although the
    server is ready. `render` renders the page and the metrics; it is called in a thread, with one of KINDS and a
    function that returns whether the client has disconnected.
    """
    pages = _Pages(health, note, render)
    places = bound or Bound()
    sock = listen(address, OPTION)
    http = web.Server(pages.answer, request_factory=make_request, handler_cancellation=True)
    accepting = Accepting(sock, lambda: BoundedProtocol(places, lambda asked: Handler(http, asked)))
    return Server(address_of(sock), http, accepting, pages)


class _Pages:
    def __init__(self, health: Health, note: Note, render: Render) -> None:
        self._health = health
        self._note = note
        self._rendered: Flights[str, tuple[bytes, str]] = Flights(render, "render")
        self._paths: dict[str, Callable[[web.BaseRequest], Awaitable[web.Response]]] = {
            "/": lambda _: self._render(PAGE),
            "/metrics": self._metrics,
            "/healthz": lambda _: self._probe("liveness"),
            "/readyz": lambda _: self._probe("readiness", self._note()),
        }

    def close(self) -> None:
        self._rendered.close()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        handler = request.protocol
        assert isinstance(handler, Handler)
        handler.asked()
        respond = self._paths.get(request.path)
        if respond is None:
            response = web.Response(status=404, text=f"Not found. Paths: {', '.join(self._paths)}\n")
        elif request.method not in METHODS:
            response = web.Response(status=405, text="Only GET and HEAD.\n", headers={"Allow": ", ".join(METHODS)})
        else:
            response = await respond(request)
        return dressed(response)

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        accept = request.headers.get("Accept", "")
        return await self._render(OPEN_METRICS if OPENMETRICS in accept else TEXT_METRICS)

    async def _render(self, kind: str) -> web.Response:
        body, content_type = await self._rendered.join(kind)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _probe(self, name: str, note: str = "") -> web.Response:
        wrong = self._health(name)
        said = f"{'ok' if wrong is None else wrong or 'not serving'}\n" + (f"{note}\n" if note else "")
        return web.Response(status=200 if wrong is None else 503, text=said)


def listen(address: str, option: str) -> socket.socket:
    """Listen at the address of an option, HOST:PORT. Raises StartError."""
    host, colon, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise StartError(f"{option} {address}: is not HOST:PORT")
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except ValueError as error:
        raise StartError(f"{option} {address}: {error}") from None
    except OSError as error:
        raise StartError(f"{option} {address}: {os.strerror(error.errno or 0)}") from None


def address_of(sock: socket.socket) -> str:
    """Return where a socket listens, HOST:PORT."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"
