"""Metrics, probes and a page over HTTP, for any client and any request."""

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import pytest

from answerback.supervisor.errors import StartError
from answerback.web.bounded import Bound, network_of
from answerback.web.handler import HEADERS
from answerback.web.server import OPEN_METRICS, PAGE, TEXT_METRICS, Server, start
from tests.thoroughness import THOROUGH

PATHS = ["/", "/metrics", "/healthz", "/readyz"]

Held = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class House:
    """The handlers of the server."""

    html: str | None = "<p>×</p>"
    wrong: dict[str, str] = field(default_factory=dict)
    note: str = ""
    bound: Bound = field(default_factory=Bound)
    go_on: threading.Event | None = None
    scrapes: int = 0
    at_once: int = 0
    most_at_once: int = 0
    abandoned: Callable[[], bool] = lambda: False
    held: list[Held] = field(default_factory=list)

    def render(self, kind: str, abandoned: Callable[[], bool]) -> tuple[bytes, str]:
        if kind == PAGE:
            return self.page().encode(), "text/html; charset=utf-8"
        self.scrapes += 1
        self.abandoned = abandoned
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.go_on is not None:
            self.go_on.wait(30)
        self.at_once -= 1
        return f"# {kind} {self.scrapes}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"

    def page(self) -> str:
        assert self.html is not None, "secret of the house"
        return self.html

    @property
    def asked(self) -> int:
        """How many open connections have sent a whole request."""
        return self.bound.asked

    async def hold(self, server: Server, count: int, said: bytes = b"", peer: str = "127.0.0.1") -> list[Held]:
        """Connections of a peer, which send a part of a request, and stay open."""
        host, _, port = server.address.rpartition(":")
        held = [await asyncio.open_connection(host, int(port), local_addr=(peer, 0)) for _ in range(count)]
        self.held += held
        for _, writer in held:
            writer.write(said)
        return held

    async def open(self, address: str = "127.0.0.1:0") -> Server:
        return await start(
            address,
            health=self.wrong.get,
            note=lambda: self.note,
            render=self.render,
            bound=self.bound,
        )


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    for _, writer in house.held:
        writer.close()


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
    while not condition():  # noqa: ASYNC110 - the server's own count, which notifies no waiter
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("*/*", TEXT_METRICS),
        ("text/plain;version=nonsense", TEXT_METRICS),
        ("application/openmetrics-text", OPEN_METRICS),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2",
            OPEN_METRICS,
        ),
        ("application/openmetrics-text;version=;;", OPEN_METRICS),
    ],
)
async def test_metrics_format_follows_the_accept_header(server: Server, accept: str, kind: str) -> None:
    response = await ask(server, "/metrics", Accept=accept)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.body == f"# {kind} 1\n".encode()
    assert (await ask(server, "/metrics?name[]=x")).body == f"# {TEXT_METRICS} 2\n".encode()


async def test_probes_do_not_wait_for_a_long_scrape(server: Server, house: House) -> None:
    house.go_on = threading.Event()
    scrape = asyncio.create_task(ask(server, "/metrics"))
    await until(lambda: house.scrapes == 1)
    assert (await ask(server, "/readyz")).status == 200
    house.go_on.set()
    assert (await scrape).status == 200


async def test_waiting_scrapes_share_one_render(server: Server, house: House) -> None:
    house.go_on = threading.Event()
    first = asyncio.create_task(ask(server, "/metrics"))
    await until(lambda: house.scrapes == 1)
    others = [asyncio.create_task(ask(server, "/metrics")) for _ in range(10)]
    await until(lambda: house.asked == 11)
    house.go_on.set()
    assert (await first).body.endswith(b" 1\n")
    assert {(await other).body.split()[-1] for other in others} == {b"2"}  # not the first: that began before they asked
    assert (house.scrapes, house.most_at_once) == (2, 1)


async def test_scrapes_of_both_formats_are_rendered_one_at_a_time(server: Server, house: House) -> None:
    openmetrics = {"Accept": "application/openmetrics-text"}
    asked = [ask(server, "/metrics", **(openmetrics if number % 2 else {})) for number in range(10)]
    assert {response.status for response in await asyncio.gather(*asked)} == {200}
    assert house.most_at_once == 1


def reset(writer: asyncio.StreamWriter) -> None:
    """Leave by RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/", "/unknown"])
async def test_client_that_closes_its_half_after_the_request_gets_the_response(server: Server, path: str) -> None:
    reader, writer = await connect(server)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    writer.write_eof()
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.0 404" if path == "/unknown" else b"HTTP/1.0 200")
    writer.close()


async def test_scrape_whose_client_closed_its_half_waits_for_a_short_time(house: House) -> None:
    house.bound = Bound(half_closed_seconds=0.1)
    server = await house.open()
    house.go_on = threading.Event()
    reader, writer = await connect(server)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    await until(lambda: house.scrapes == 1)
    writer.write_eof()
    with suppress(ConnectionResetError):
        assert await reader.read() == b""
    await until(house.abandoned)
    assert house.bound.open == 0
    house.go_on.set()
    writer.close()
    await server.close()


async def test_client_that_closes_without_a_byte_is_closed_at_once(house: House) -> None:
    house.bound = Bound(half_closed_seconds=3600)
    server = await house.open()
    reader, writer = await connect(server)
    writer.write_eof()
    assert await reader.read() == b""
    await until(lambda: house.bound.open == 0)
    writer.close()
    await server.close()


async def test_aborted_scrapes_leave_no_render_behind(server: Server, house: House) -> None:
    house.go_on = threading.Event()
    first = asyncio.create_task(ask(server, "/metrics"))
    await until(lambda: house.scrapes == 1)
    for _ in range(50):  # one after another, and each leaves before it is answered
        _, writer = await connect(server)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: house.asked == 2)
        reset(writer)
        await until(lambda: house.bound.open == 1)
    assert not house.abandoned()
    house.go_on.set()
    assert (await first).body.endswith(b" 1\n")
    assert (await ask(server, "/metrics")).body.endswith(b" 2\n")
    assert house.scrapes == 2


async def test_render_is_abandoned_when_its_last_client_leaves(server: Server, house: House) -> None:
    house.go_on = threading.Event()
    _, writer = await connect(server)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: house.scrapes == 1)
    assert not house.abandoned()
    writer.transport.abort()
    await until(house.abandoned)
    house.go_on.set()
    assert (await ask(server, "/metrics")).status == 200


@pytest.mark.parametrize("path, name", [("/healthz", "liveness"), ("/readyz", "readiness")])
async def test_http_probes_return_ok_or_the_reason(server: Server, house: House, path: str, name: str) -> None:
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


async def test_http_root_shows_the_status_page(server: Server) -> None:
    response = await ask(server, "/")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.body.decode() == "<p>×</p>"


@pytest.mark.parametrize("path", PATHS)
async def test_http_head_returns_the_headers_of_get_without_a_body(server: Server, path: str) -> None:
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
async def test_http_method_other_than_get_and_head_is_405(server: Server, path: str, method: str) -> None:
    response = await ask(server, path, method=method)
    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD"


async def test_http_request_with_a_body_is_rejected_and_not_kept(server: Server) -> None:
    body = b"x" * 100_000
    answer = await say(server, b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("path", ["/metric", "/metrics/", "//", "/../etc/passwd", "/%2e%2e/"])
async def test_http_path_unknown_is_404(server: Server, path: str) -> None:
    response = await ask(server, path)
    assert response.status == 404
    assert b"/metrics" in response.body


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
async def test_http_response_has_security_headers_and_closes(server: Server, path: str) -> None:
    headers = (await ask(server, path)).headers
    assert headers["Connection"] == "close"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Server"] == "answerback"


async def test_second_http_request_on_a_connection_is_not_answered(server: Server) -> None:
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
async def test_malformed_http_request_is_rejected_without_a_log_line(
    server: Server, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = await say(server, data)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert caplog.messages == []
    assert (await ask(server, "/healthz")).status == 200


CANARY = b"CANARY"
MALFORMED = [
    b"\x16\x03\x01CANARY\x00\x01\xfc\x03\x03",
    b"CANARY\r\n\r\n",
    b"CANARY / HTTP/1.1\r\n\r\n",
    b"GET CANARY HTTP/1.1\r\n\r\n",
    b"GET /CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /?<script>CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / CANARY/1.1\r\n\r\n",
    b"GET / HTTP/7.7\r\nX: CANARY\r\n\r\n",
    b"GET /healthz HTTP/2.0\r\nHost: CANARY\r\n\r\n",
    b"GET /healthz HTTP/0.9\r\nHost: CANARY\r\n\r\n",
    b"GET / HTTP/1.1\r\nCANARY header\r\n\r\n",
    b"GET / HTTP/1.1\r\nCANARY\x00: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: CANARY\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\nX: CANARY\r\n\r\n",
    b"GET / HTTP/1.1\r\nTransfer-Encoding: CANARY\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nCANARY\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naCANARY\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nCANARY",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\nCANARY",
    b"GET / HTTP/1.1\r\nUpgrade: CANARY\r\nConnection: upgrade\r\nHost: x\r\n\r\nCANARY",
    b"GET / HTTP/1.1\r\nExpect: CANARY\r\nHost: x\r\n\r\n",
    b"GET /CANARY" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nCANARY: " + b"a" * 10_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"CANARY: a\r\n" * 10_000 + b"\r\n",
    b"CONNECT CANARY:80 HTTP/1.1\r\n\r\n",
    b"GET http://CANARY:x/ HTTP/1.1\r\n\r\n",
    b"GET //CANARY:80x/ HTTP/1.1\r\nHost: [CANARY\r\n\r\n",
]
STATUSES = {b"200", b"400", b"404", b"405", b"503"}


def mutations(seed: int) -> bytes:
    """A request with some bytes of it replaced, repeated or left out."""
    chance = Random(seed)
    data = bytearray(chance.choice([*MALFORMED[1:22], b"GET /healthz HTTP/1.1\r\nHost: CANARY\r\n\r\n"]))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        data[at : at + chance.randint(0, 2)] = bytes(chance.choices(b"\r\n\0 :/\xff\x80;aZ0", k=chance.randint(0, 3)))
    return bytes(data)


def assert_plain(answer: bytes) -> None:
    """It is one answer of ours: our headers, and nothing of the request."""
    assert CANARY.lower() not in answer.lower()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    version, status, _ = first.split(b" ", 2)
    assert version in (b"HTTP/1.1", b"HTTP/1.0")
    assert status in STATUSES
    fields = dict(line.decode().split(": ", 1) for line in rest)
    assert HEADERS.items() <= fields.items()
    assert fields["Content-Length"] == str(len(body)) or not body
    assert fields.get("Connection", "close") == "close"
    assert b"HTTP/1." not in body.replace(b"valid HTTP/1.1 request", b"")
    assert set(fields) - set(HEADERS) <= {"Content-Type", "Content-Length", "Date", "Connection", "Allow"}


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
async def test_malformed_http_request_gets_a_plain_response_with_all_headers(
    server: Server, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await say(server, data)
    if answer:  # a reset may overtake it
        assert_plain(answer)
    assert caplog.messages == []


async def test_http_response_never_repeats_the_request(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.bound = Bound(connections=1000, per_peer=1000, request_seconds=0.1)  # most end by it: they are not complete
    server = await house.open()

    async def answer_to(seed: int) -> bytes:
        data = mutations(seed)
        cut = Random(seed).randrange(1, len(data))
        reader, writer = await connect(server)
        try:
            writer.write(data[:cut])
            await asyncio.sleep(0)
            writer.write(data[cut:])
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    answered = 0
    for first in range(0, 8000 if THOROUGH else 800, 100):
        for answer in filter(None, await asyncio.gather(*map(answer_to, range(first, first + 100)))):
            answered += 1
            assert_plain(answer)
    assert answered > 400
    assert caplog.messages == []
    await server.close()


async def test_malformed_http_request_gets_400_with_a_fixed_text(server: Server) -> None:
    answers = [await say(server, data) for data in (b"BREW / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\na b\r\n\r\n")]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
        assert answer.endswith(b"\r\n\r\nThis is not a valid HTTP/1.1 request.\n")


async def test_http_exception_is_logged_and_answered_with_500(
    server: Server, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.html = None
    response = await ask(server, "/", Accept="text/html")
    assert response.status == 500
    assert b"Traceback" not in response.body
    assert b"secret" not in response.body
    assert HEADERS.items() <= response.headers.items()
    assert "secret of the house" in caplog.text
    assert (await ask(server, "/healthz")).status == 200


async def test_http_connection_ends_at_its_time_limit(house: House) -> None:
    house.bound.seconds = 0.05
    server = await house.open()
    for data in (b"", b"GET / HTTP/1.1\r\nHost", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"):
        await asyncio.wait_for(say(server, data), 5)
    assert house.bound.open == 0
    await server.close()


PROBE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def closed(held: Held) -> bool:
    reader, _ = held
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def test_http_connections_at_the_limit_close_the_oldest_unfinished(house: House) -> None:
    house.bound.connections = 3
    server = await house.open()
    held = [(await house.hold(server, 1, peer=f"127.0.0.{last}"))[0] for last in (2, 3, 4)]
    await until(lambda: house.bound.open == 3)
    assert (await ask(server, "/healthz")).status == 200
    assert await closed(held[0])
    await until(lambda: house.bound.open == 2)
    assert [reader.at_eof() for reader, _ in held] == [True, False, False]
    for _ in range(3):  # no other connection had to be closed for these
        assert (await ask(server, "/healthz")).status == 200
    assert house.bound.open == 2
    await server.close()


async def test_http_peer_at_its_limit_loses_its_own_oldest_connection(house: House) -> None:
    house.bound.per_peer = 2
    server = await house.open()
    stranger = (await house.hold(server, 1, peer="127.0.0.9"))[0]
    held = await house.hold(server, 2)
    await until(lambda: house.bound.open == 3)
    newest = (await house.hold(server, 1))[0]
    assert await closed(held[0])
    await until(lambda: house.bound.open == 3)
    assert not any(reader.at_eof() for reader, _ in (stranger, held[1], newest))
    await server.close()


@pytest.mark.parametrize("new_seconds", [0, 60])
async def test_full_http_server_closes_a_connection_of_the_peer_with_most(house: House, new_seconds: float) -> None:
    house.bound = Bound(connections=4, new_seconds=new_seconds)
    server = await house.open()
    lonely = (await house.hold(server, 1, peer="127.0.0.9"))[0]  # the oldest of all
    many = await house.hold(server, 3, peer="127.0.0.8")
    await until(lambda: house.bound.open == 4)
    assert (await ask(server, "/healthz")).status == 200
    assert await closed(many[0])
    assert not lonely[0].at_eof()
    await server.close()


async def test_http_request_in_progress_outlives_idle_connections(house: House) -> None:
    house.bound.connections = 3
    house.go_on = threading.Event()
    server = await house.open()
    scrape = asyncio.create_task(ask(server, "/metrics"))
    await until(lambda: house.scrapes == 1)
    for last in range(10, 20):
        await house.hold(server, 1, peer=f"127.0.0.{last}")
    assert (await ask(server, "/healthz")).status == 200
    house.go_on.set()
    assert (await scrape).status == 200
    await server.close()


async def test_probe_is_answered_while_every_connection_waits_for_its_response(house: House) -> None:
    house.bound.connections = 3
    house.go_on = threading.Event()
    server = await house.open()
    scrapes = [asyncio.create_task(say(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")) for _ in range(3)]
    await until(lambda: house.bound.asked == 3)
    assert (await ask(server, "/healthz")).status == 200
    house.go_on.set()
    assert [b" 200 OK" in await scrape for scrape in scrapes] == [False, True, True]  # the oldest had to go
    await server.close()


async def test_new_http_connection_is_kept_if_its_peer_has_connections_in_progress(
    house: House,
) -> None:
    house.bound = Bound(connections=10, per_peer=3, new_seconds=60)
    house.go_on = threading.Event()
    server = await house.open()
    scrapes = [asyncio.create_task(say(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")) for _ in range(2)]
    await until(lambda: house.bound.asked == 2)
    ((reader, writer),) = await house.hold(server, 1)
    await until(lambda: house.bound.open == 3)
    await house.hold(server, 1)
    assert await scrapes[0] == b""
    writer.write(PROBE)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    house.go_on.set()
    assert b" 200 OK" in await scrapes[1]
    await server.close()


async def test_late_http_connection_is_closed_before_connections_in_progress(house: House) -> None:
    house.bound = Bound(connections=10, per_peer=3, new_seconds=0)
    house.go_on = threading.Event()
    server = await house.open()
    scrapes = [asyncio.create_task(say(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")) for _ in range(2)]
    await until(lambda: house.bound.asked == 2)
    held = await house.hold(server, 1)
    await until(lambda: house.bound.open == 3)
    assert (await ask(server, "/healthz")).status == 200
    assert await closed(held[0])
    house.go_on.set()
    assert [b" 200 OK" in await scrape for scrape in scrapes] == [True, True]
    await server.close()


@pytest.mark.parametrize("prober", ["127.0.0.1", "127.0.0.2"])
async def test_probes_are_answered_while_a_peer_holds_hundreds_of_slow_connections(house: House, prober: str) -> None:
    server = await house.open()
    host, _, port = server.address.rpartition(":")
    attack = [None, b"", b"GET /healthz HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"]
    held: list[Held] = []
    for number in range(300):
        held += await house.hold(server, 1, attack[number % 4] or b"G")
        for _, writer in held[-20:]:
            if not writer.is_closing():
                writer.write(b"a")  # byte by byte
        if number % 10 == 0:
            reader, writer = await asyncio.open_connection(host, int(port), local_addr=(prober, 0))
            writer.write(PROBE)
            assert (await reader.read()).startswith(b"HTTP/1.1 200 OK\r\n"), number
            writer.close()
    assert house.bound.open <= 17
    await server.close()


async def test_incomplete_http_request_is_closed_at_its_time_limit(house: House) -> None:
    house.bound.request_seconds = 0.05
    server = await house.open()
    assert await closed((await house.hold(server, 1, b"GET / HTTP/1.1\r\nHost"))[0])
    await until(lambda: house.bound.open == 0)
    house.go_on = threading.Event()
    scrape = asyncio.create_task(ask(server, "/metrics"))
    await until(lambda: house.scrapes == 1)
    await asyncio.sleep(0.1)  # past the time for requests: an answer may take longer
    house.go_on.set()
    assert (await scrape).status == 200
    await server.close()


@pytest.mark.parametrize(
    "peername, network",
    [
        (("192.0.2.7", 1234), "192.0.2.7"),
        (("2001:db8::1:2:3:4", 1234, 0, 0), "2001:db8::/64"),
        (("2001:db8:0:1::4", 1234, 0, 0), "2001:db8:0:1::/64"),
        (("fe80::1%eth0", 1234, 0, 2), "fe80::/64"),
        (("::ffff:192.0.2.7", 1234, 0, 0), "192.0.2.7"),
        (("", 0), ""),
        (None, ""),
    ],
)
def test_http_peer_is_an_ipv4_address_or_an_ipv6_network(peername: object, network: str) -> None:
    assert network_of(peername) == network


async def test_http_server_close_ends_connections_and_frees_the_port(house: House) -> None:
    server = await house.open()
    reader, writer = await connect(server)
    await until(lambda: house.bound.open == 1)
    await asyncio.wait_for(server.close(), 5)
    assert await reader.read() == b""
    writer.close()
    again = await house.open(server.address)
    assert again.address == server.address
    await again.close()


async def test_metrics_port_listens_on_ipv6(house: House) -> None:
    server = await house.open("[::1]:0")
    assert server.address.startswith("[::1]:")
    assert (await ask(server, "/healthz")).status == 200
    await server.close()


async def test_metrics_port_on_localhost_listens_on_loopback(house: House) -> None:
    server = await house.open("localhost:0")
    assert server.address.startswith("127.0.0.1:")
    await server.close()


async def test_metrics_port_in_use_is_a_start_error(house: House) -> None:
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
async def test_invalid_metrics_address_is_a_start_error(house: House, address: str, message: str) -> None:
    with pytest.raises(StartError) as error:
        await house.open(address)
    assert str(error.value).startswith(f"--metrics {address}: ")
    assert message in str(error.value)
