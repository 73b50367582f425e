"""A server to relay to, in the test's own thread: it accepts, and each connection is driven by the test."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from answerback.core.plan import Limits, ListenerPlan
from answerback.core.upstream import Upstream
from tests.net.conftest import Client, Serving
from tests.ports import free_port
from tests.waiting import eventually


class Accepted(Client):
    """A connection that the upstream has accepted."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(10)


class Server:
    """A listening socket."""

    def __init__(self, path: Path | None = None) -> None:
        """At `path`, or on a free port."""
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.sock.bind(str(path) if path else ("127.0.0.1", free_port()))
        self.sock.listen(128)
        self.sock.settimeout(10)
        self.accepted: list[Accepted] = []

    @property
    def upstream(self) -> Upstream:
        if self.path:
            return Upstream("", 0, str(self.path), 5.0)
        return Upstream("127.0.0.1", self.sock.getsockname()[1], "", 5.0)

    def accept(self) -> Accepted:
        sock, _ = self.sock.accept()
        self.accepted.append(Accepted(sock))
        return self.accepted[-1]

    def close(self) -> None:
        self.sock.close()
        for each in self.accepted:
            each.close()


def relaying(upstream: Upstream, **limits: float) -> ListenerPlan:
    """A listener that relays."""
    return ListenerPlan("it", "", upstream=upstream, limits=Limits(**limits))  # type: ignore[arg-type]


def connected(serving: Serving, server: Server) -> tuple[Client, Accepted]:
    """A client, and the upstream's end of its connection."""
    client = serving.connect()
    return client, server.accept()


def held_for(serving: Serving, connection: Any, side: int) -> int:
    """What is held for a side that reads nothing, once it is something: until then the kernel takes more and more."""
    return eventually(lambda: int(serving.call(lambda: connection.sides[side].unsent)))


def within(upstream: Upstream, seconds: float) -> Upstream:
    """The same with another `connect_timeout`."""
    return replace(upstream, connect_timeout=seconds)
