"""Metrics, probes and a page over HTTP, from whoever may ask and however it asks."""

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from answerback.supervisor.outcomes import StartError
from answerback.web.bounded import Bound
from answerback.web.server import Server, start

PATHS = ["/", "/metrics", "/healthz", "/readyz"]


@dataclass
class House:
    """What stands behind the server."""

    html: str | None = "<p>×</p>"
    wrong: dict[str, str] = field(default_factory=dict)
    note: str = ""
    bound: Bound = field(default_factory=Bound)
    go_on: threading.Event | None = None
    scrapes: int = 0
    at_once: int = 0
    most_at_once: int = 0

    def render(self, accept: str) -> tuple[bytes, str]:
        self.scrapes += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.go_on is not None:
            self.go_on.wait(30)
        self.at_once -= 1
        return f"# asked for {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"

    def page(self) -> str:
        assert self.html is not None, "secret of the house"
        return self.html

    async def open(self, address: str = "127.0.0.1:0") -> Server:
        return await start(
            address,
            health=self.wrong.get,
            note=lambda: self.note,
            page=self.page,
            render=self.render,
            bound=self.bound,
        )


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
async def server(house: House) -> AsyncIterator[Server]:
    server = await house.open()
    yield server
    await server.close()


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes


async def connect(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = server.address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


async def say(server: Server, data: bytes) -> bytes:
    """Everything that comes back until the connection is closed."""
    reader, writer = await connect(server)
    writer.write(data)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def ask(server: Server, path: str, *, method: str = "GET", **headers: str) -> Response:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    answer = await say(server, "\r\n".join([*lines, "", ""]).encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return Response(int(first.split()[1]), dict(line.split(": ", 1) for line in rest), body)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the server's own count; nobody is told when it moves
        await asyncio.sleep(0.001)


async def test_metrics_are_rendered_as_they_are_asked_for(server: Server) -> None:
    response = await ask(server, "/metrics", Accept="application/openmetrics-text")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.body == b"# asked for application/openmetrics-text\n"
    assert (await ask(server, "/metrics?name[]=x")).body == b"# asked for \n"


async def test_probes_do_not_wait_for_a_long_scrape(server: Server, house: House) -> None:
    house.go_on = threading.Event()
    scrape = asyncio.create_task(ask(server, "/metrics"))
    await until(lambda: house.scrapes == 1)
    assert (await ask(server, "/readyz")).status == 200
    house.go_on.set()
    assert (await scrape).status == 200


async def test_scrapes_are_rendered_one_at_a_time(server: Server, house: House) -> None:
    responses = await asyncio.gather(*(ask(server, "/metrics") for _ in range(20)))
    assert {response.status for response in responses} == {200}
    assert (house.scrapes, house.most_at_once) == (20, 1)


@pytest.mark.parametrize("path, name", [("/healthz", "liveness"), ("/readyz", "readiness")])
async def test_probes_say_yes_or_why_not(server: Server, house: House, path: str, name: str) -> None:
    response = await ask(server, path)
    assert (response.status, response.body) == (200, b"ok\n")
    house.wrong[name] = "draining"
    response = await ask(server, path)
    assert (response.status, response.body) == (503, b"draining\n")
    house.wrong[name] = ""
    response = await ask(server, path)
    assert (response.status, response.body) == (503, b"not serving\n")
    del house.wrong[name]
    assert (await ask(server, path)).status == 200


async def test_the_page_is_shown(server: Server) -> None:
    response = await ask(server, "/")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.body.decode() == "<p>×</p>"


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_the_body(server: Server, path: str) -> None:
    get, head = await ask(server, path), await ask(server, path, method="HEAD")
    assert head.body == b""
    assert head.status == get.status
    drop = {"Date"}
    assert {k: v for k, v in head.headers.items() if k not in drop} == {
        k: v for k, v in get.headers.items() if k not in drop
    }
    assert int(get.headers["Content-Length"]) == len(get.body)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_refused(server: Server, path: str, method: str) -> None:
    response = await ask(server, path, method=method)
    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD"


async def test_a_body_that_nobody_asked_for_is_refused_and_not_kept(server: Server) -> None:
    body = b"x" * 100_000
    answer = await say(server, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("path", ["/metric", "/metrics/", "//", "/../etc/passwd", "/%2e%2e/"])
async def test_there_is_nothing_else(server: Server, path: str) -> None:
    response = await ask(server, path)
    assert response.status == 404
    assert b"/metrics" in response.body


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
async def test_every_response_closes_and_says_what_it_is_not(server: Server, path: str) -> None:
    headers = (await ask(server, path)).headers
    assert headers["Connection"] == "close"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Server"] == "answerback"


async def test_a_second_request_on_a_connection_is_not_answered(server: Server) -> None:
    answer = await say(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n" * 3)
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"hello\r\n\r\n",
        b"BREW / HTTP/1.1\r\n\r\n",
        b"GET * HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbroken header\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 10_000 + b"\r\n",
    ],
    ids=["tls", "words", "method", "target", "version", "header", "length", "long line", "long header", "many headers"],
)
async def test_what_is_no_http_is_refused_in_silence(
    server: Server, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await say(server, data)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert caplog.messages == []
    assert (await ask(server, "/healthz")).status == 200


async def test_an_exception_is_logged_and_not_shown(
    server: Server, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.html = None
    response = await ask(server, "/", Accept="text/html")
    assert response.status == 500
    assert b"Traceback" not in response.body
    assert b"secret" not in response.body
    assert "secret of the house" in caplog.text
    assert (await ask(server, "/healthz")).status == 200


async def test_a_connection_ends_in_time_whatever_it_does(house: House) -> None:
    house.bound.seconds = 0.05
    server = await house.open()
    for data in (b"", b"GET / HTTP/1.1\r\nHost", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"):
        await asyncio.wait_for(say(server, data), 5)
    assert house.bound.open == 0
    await server.close()


async def test_connections_past_the_bound_are_turned_away_until_others_leave(house: House) -> None:
    house.bound.connections = 2
    server = await house.open()
    held = [await connect(server) for _ in range(2)]
    await until(lambda: house.bound.open == 2)
    assert await say(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    for _, writer in held:
        writer.close()
    await until(lambda: house.bound.open == 0)
    assert (await ask(server, "/healthz")).status == 200
    await server.close()


async def test_closing_ends_what_is_open_and_frees_the_port(house: House) -> None:
    server = await house.open()
    reader, writer = await connect(server)
    await until(lambda: house.bound.open == 1)
    await asyncio.wait_for(server.close(), 5)
    assert await reader.read() == b""
    writer.close()
    again = await house.open(server.address)
    assert again.address == server.address
    await again.close()


async def test_ipv6_is_spoken(house: House) -> None:
    server = await house.open("[::1]:0")
    assert server.address.startswith("[::1]:")
    assert (await ask(server, "/healthz")).status == 200
    await server.close()


async def test_localhost_is_loopback(house: House) -> None:
    server = await house.open("localhost:0")
    assert server.address.startswith("127.0.0.1:")
    await server.close()


async def test_a_port_in_use_is_said(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(StartError) as error:
            await house.open(address)
    assert str(error.value) == f"--metrics {address}: Address already in use"


@pytest.mark.parametrize(
    "address, message",
    [
        ("nonsense", "is not HOST:PORT"),
        ("127.0.0.1:", "is not HOST:PORT"),
        ("unix:/run/x", "is not HOST:PORT"),
        ("somewhere.example:80", "'somewhere.example' does not appear to be an IPv4 or IPv6 address"),
        ("127.0.0.1:70000", "is not HOST:PORT"),
        ("192.0.2.1:0", "Cannot assign requested address"),
    ],
)
async def test_an_address_that_cannot_be_is_said(house: House, address: str, message: str) -> None:
    with pytest.raises(StartError) as error:
        await house.open(address)
    assert str(error.value).startswith(f"--metrics {address}: ")
    assert message in str(error.value)
