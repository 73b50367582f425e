"""Toxiproxy's API of one server for each engine, an upstream that echoes, and a client that says everything.

The servers are shared: a test makes proxies of its own.
"""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from tests.system.conftest import RunningServer, await_listening, end, launch

NUMBERS = count()
NAMED = "- {name: other, address: '127.0.0.1:0', rules: [{do: [echo]}]}"


@dataclass(frozen=True)
class Response:
    status: int
    content_type: str
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> tuple[int, str]:
        """The status, which the body repeats, and the message."""
        assert self.content_type == "text/plain; charset=utf-8"
        assert self.text.endswith("}\n")
        assert self.json["status"] == self.status
        return self.status, self.json["error"]


class Upstream:
    """Echoes, and keeps what it got."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.heard: list[bytes] = []
        """What it got, a part for each connection that is over."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    def _echo(self, client: socket.socket) -> None:
        got = b""
        with client, suppress(OSError):
            while data := client.recv(65536):
                got += data
                client.sendall(data)
        self.heard.append(got)


@dataclass
class Api:
    """The API of a server. `name` is that of the proxy of this test."""

    server: RunningServer
    address: str
    upstream: Upstream
    name: str
    open: list[socket.socket] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, agent: str = "test") -> Response:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        try:
            connection.request(method, path, data, {"User-Agent": agent})
            response = connection.getresponse()
            return Response(response.status, response.headers.get("Content-Type", ""), response.read().decode())
        finally:
            connection.close()

    @property
    def path(self) -> str:
        """The path of this test's proxy."""
        return f"/proxies/{self.name}"

    def proxy(self, **fields: Any) -> dict[str, Any]:
        """A new proxy to the upstream."""
        body = {"name": self.name, "listen": "127.0.0.1:0", "upstream": self.upstream.address, **fields}
        made = self.call("POST", "/proxies", body)
        assert made.status == 201, made.text
        found: dict[str, Any] = made.json
        return found

    def toxic(self, kind: str, stream: str = "downstream", **attributes: int) -> None:
        """A new toxic of this test's proxy, named as its type."""
        body = {"name": kind, "type": kind, "stream": stream, "attributes": attributes}
        made = self.call("POST", f"{self.path}/toxics", body)
        assert made.status == 200, made.text

    def change(self, kind: str, **attributes: int) -> None:
        """Change a toxic."""
        made = self.call("POST", f"{self.path}/toxics/{kind}", {"attributes": attributes})
        assert made.status == 200, made.text

    def remove(self, kind: str) -> None:
        """Remove a toxic."""
        assert self.call("DELETE", f"{self.path}/toxics/{kind}").status == 204

    def client(self, listen: str) -> socket.socket:
        """A connection to a proxy."""
        host, _, port = listen.rpartition(":")
        made = socket.create_connection((host, int(port)), 20)
        self.open.append(made)
        return made

    def exchanging(self, listen: str) -> socket.socket:
        """A connection to a proxy whose first bytes have come back."""
        made = self.client(listen)
        made.sendall(b"a")
        assert made.recv(10) == b"a"
        return made


def hear_all(client: socket.socket) -> bytes:
    """What a client reads up to FIN."""
    return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.fixture(scope="module", params=["callback", "coroutine"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server for each engine, with two workers."""
    folder = tmp_path_factory.mktemp("toxiproxy")
    config = folder / "answerback.yaml"
    config.write_text(f"listeners:\n{NAMED}")
    options = ("--engine", request.param, "--workers", "2", "--toxiproxy-api", "127.0.0.1:0")
    running = launch(config, folder / "log", *options)
    await_listening(running)
    yield running
    end(running)


@pytest.fixture
def api(server: RunningServer) -> Iterator[Api]:
    """Its API."""
    (line,) = (line for line in server.logged("listening") if line["kind"] == "toxiproxy")
    it = Api(server, line["address"], Upstream(), f"proxy-{next(NUMBERS)}")
    yield it
    it.upstream.close()
    for each in it.open:
        each.close()
    it.call("DELETE", it.path)
