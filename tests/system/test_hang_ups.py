"""Clients that disconnect at any moment cause no traceback and no error in the log."""

import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certifying import Authority
from tests.system.conftest import RunningServer, Start
from tests.system.flooding import (
    BEGIN,
    GET_CONFIG,
    HEALTH,
    REFLECTION,
    VALIDATE_CONFIG,
    WATCH_CONFIG,
    call,
    connect,
    message,
)

LARGE = "listeners: [{name: a, address: '127.0.0.1:0', rules: [{do: [send: '" + "x" * 470_000 + "']}]}]"
PATHS = (HEALTH, GET_CONFIG, VALIDATE_CONFIG, WATCH_CONFIG, REFLECTION, b"/grpc.health.v1.Health/Watch", b"/no/method")
PARTS = ((), (b"\0\0",), (message(),), (message(b"xxx"),), (message(b"\x0a\x00" * 40_000)[:16_000],))
HELLO = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"  # the beginning of a ClientHello

HTTP = (
    b"GET",
    b"GET /metrics HTTP/1.1\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5,
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\xff\0\r\n\r\n",
    HELLO,
)


def reset(peer: socket.socket) -> None:
    """Leave by RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


LEAVES: dict[str, Callable[[socket.socket], None]] = {"FIN": socket.socket.close, "RST": reset}


def calls() -> Iterator[bytes]:
    """The beginnings of calls, and whole ones."""
    for path in PATHS:
        for parts in PARTS:
            yield BEGIN + b"".join(call(path, number, *parts, end=bool(parts) and number < 2) for number in range(3))
    yield from (b"", b"PRI", BEGIN[:25], HELLO, b"GET / HTTP/1.1\r\n\r\n")
    yield BEGIN + b"".join(call(GET_CONFIG, number, message()) for number in range(60))
    yield BEGIN + b"".join(call(WATCH_CONFIG, number, message()) for number in range(60))


def hang_up(address: str, said: Iterator[bytes], leave: Callable[[socket.socket], None]) -> None:
    """Say each on a connection of its own, and leave: at once, and when an answer has begun to come."""
    for data in said:
        for wait in (0.0, 0.02):
            peer = connect(address)
            with suppress(OSError):
                peer.sendall(data)
                peer.settimeout(wait)
                while peer.recv(65536):
                    pass
            leave(peer)


def nothing_said(running: RunningServer) -> None:
    """No warning or error was logged, and the server still serves."""
    assert running.cli("health").returncode == 0
    assert running.stop() == 0
    text = running.log.read_text()
    assert [line for line in text.splitlines() if not line.startswith("{")] == []
    lines = running.lines()
    assert [line for line in lines if line["level"] not in {"INFO", "DEBUG"} or "exception" in line] == []


@pytest.mark.parametrize("leave", LEAVES)
def test_client_that_disconnects_during_a_call_is_not_logged(start_server: Start, leave: str) -> None:
    running = start_server(LARGE)
    hang_up(running.admin, calls(), LEAVES[leave])
    nothing_said(running)


@pytest.mark.parametrize("leave", LEAVES)
def test_client_that_disconnects_during_a_scrape_is_not_logged(start_server: Start, leave: str) -> None:
    running = start_server()
    hang_up(running.metrics, iter(HTTP), LEAVES[leave])
    nothing_said(running)


def test_client_that_disconnects_during_a_tls_handshake_is_not_logged(start_server: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server", "127.0.0.1")
    certificate = ("--admin-cert", str(server.certificate), "--admin-key", str(server.key))
    running = start_server(LARGE, *certificate)
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.set_alpn_protocols(["h2"])
    for leave in LEAVES.values():
        hang_up(running.admin, iter([b"", HELLO, HELLO + bytes(192), BEGIN, b"\xff" * 300]), leave)
        for data in (b"", BEGIN[:10], BEGIN + call(GET_CONFIG, 0, message()), BEGIN + call(HEALTH, 0, end=False)):
            with context.wrap_socket(connect(running.admin), server_hostname="127.0.0.1") as peer:
                peer.sendall(data)
                leave(socket.socket(fileno=peer.detach()))
    strangers = ssl.create_default_context()  # this one does not know who has signed
    with suppress(ssl.SSLError), strangers.wrap_socket(connect(running.admin), server_hostname="127.0.0.1"):
        pytest.fail("it was trusted")
    nothing_said(running)
