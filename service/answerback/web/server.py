"""Metrics, probes and a page over HTTP/1.1: what is asked for by GET or HEAD is answered, and the connection closed."""

import asyncio
import ipaddress
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from answerback.supervisor.outcomes import StartError
from answerback.web.bounded import Bound, BoundedProtocol

# Rule: nothing here changes anything.
# Rule: one request a connection: a scraper comes every few seconds, and a place that is kept is a place taken.
# Rule: metrics are rendered beside the event loop, one scrape at a time: each listener costs 2 ms.

METHODS: Final = ("GET", "HEAD")
BACKLOG: Final = 128
HEADER_BYTES: Final = 8190  # a line; browsers send to one port of localhost the cookies of all the others
LINGER_SECONDS: Final = 1.0  # to read a body that nobody asked for, so that the peer reads the response before a reset
CLOSE_SECONDS: Final = 1.0  # for responses in progress

HEADERS: Final = {
    "Server": "answerback",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
}

Health = Callable[[str], str | None]
Note = Callable[[], str]
Page = Callable[[], str]
Render = Callable[[str], tuple[bytes, str]]

log = logging.getLogger(__name__)


class Server:
    """Listens at `address`, the port 0 having become the kernel's choice."""

    def __init__(self, address: str, http: web.Server, listening: asyncio.Server, pages: "_Pages") -> None:
        self.address = address
        self._http = http
        self._listening = listening
        self._pages = pages

    async def close(self) -> None:
        """Listen no more; finish what is in progress, for CLOSE_SECONDS at most."""
        self._listening.close()
        self._http.pre_shutdown()
        await self._http.shutdown(CLOSE_SECONDS)
        self._pages.close()


async def start(
    address: str, *, health: Health, note: Note, page: Page, render: Render, bound: Bound | None = None
) -> Server:
    """Serve at `address` (`HOST:PORT`). Raises StartError if nothing can listen there.

    `health` says of `liveness` and `readiness` what is wrong, or None; `note`, what somebody should look at although
    nothing is. `page` gives the HTML at `/`. `render` gives the metrics and their content type, for an `Accept` header;
    it is called in a thread.
    """
    pages = _Pages(health, note, page, render)
    places = bound or Bound()
    sock = _listen(address)
    http = web.Server(
        pages.answer,
        access_log=None,
        logger=_without_faults_of_peers(),
        max_line_size=HEADER_BYTES,
        max_field_size=HEADER_BYTES,
        lingering_time=LINGER_SECONDS,
    )
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: BoundedProtocol(places, http), sock=sock, backlog=BACKLOG)
    return Server(_text(sock), http, listening, pages)


class _Pages:
    def __init__(self, health: Health, note: Note, page: Page, render: Render) -> None:
        self._health = health
        self._note = note
        self._html = page
        self._render = render
        self._renderer = ThreadPoolExecutor(1, "metrics")
        self._paths: dict[str, Callable[[web.BaseRequest], Awaitable[web.Response]]] = {
            "/": self._page,
            "/metrics": self._metrics,
            "/healthz": lambda _: self._probe("liveness"),
            "/readyz": lambda _: self._probe("readiness", self._note()),
        }

    def close(self) -> None:
        self._renderer.shutdown(wait=False, cancel_futures=True)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        respond = self._paths.get(request.path)
        if respond is None:
            response = web.Response(status=404, text=f"There are only {', '.join(self._paths)} here.\n")
        elif request.method not in METHODS:
            response = web.Response(status=405, text="Only GET and HEAD.\n", headers={"Allow": ", ".join(METHODS)})
        else:
            response = await respond(request)
        response.headers.update(HEADERS)
        response.force_close()
        return response

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        accept = request.headers.get("Accept", "")
        loop = asyncio.get_running_loop()
        body, content_type = await loop.run_in_executor(self._renderer, self._render, accept)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _probe(self, name: str, note: str = "") -> web.Response:
        wrong = self._health(name)
        said = f"{'ok' if wrong is None else wrong or 'not serving'}\n" + (f"{note}\n" if note else "")
        return web.Response(status=200 if wrong is None else 503, text=said)

    async def _page(self, _: web.BaseRequest) -> web.Response:
        return web.Response(text=self._html(), content_type="text/html")


def _listen(address: str) -> socket.socket:
    host, colon, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise StartError(f"--metrics {address}: is not HOST:PORT")
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except ValueError as error:
        raise StartError(f"--metrics {address}: {error}") from None
    except OSError as error:
        raise StartError(f"--metrics {address}: {os.strerror(error.errno or 0)}") from None


def _text(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{host}:{port}"


def _without_faults_of_peers() -> logging.Logger:
    """For aiohttp, which logs with its traceback whatever is sent to it that is no HTTP."""
    logger = log.getChild("http")
    if not logger.filters:
        logger.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))
    return logger
