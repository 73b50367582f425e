"""The two sides of a relayed connection: what the engine, and TLS, make of each, and what they are called."""

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from answerback.core.actions import CloseReason
from answerback.core.plan import Engine
from answerback.core.relay import PEER, UPSTREAM
from answerback.core.upstream import Upstream
from answerback.net.delivery import free_send_buffer
from answerback.net.relay.poll_side import PollSide
from answerback.net.relay.secure_side import SecureSide
from answerback.net.relay.side import Side
from answerback.net.relay.stream_side import StreamSide

if TYPE_CHECKING:
    from answerback.net.relay.connection import RelayedConnection

SIDES: Final[Mapping[Engine, type[Side]]] = {Engine.CALLBACK: PollSide, Engine.COROUTINE: StreamSide}

# What the loss of the upstream's side is called.
LOST: Final[Mapping[CloseReason, CloseReason]] = {
    CloseReason.PEER_RESET: CloseReason.UPSTREAM_RESET,
    CloseReason.PEER_LOST: CloseReason.UPSTREAM_LOST,
    CloseReason.WRITE_TIMEOUT: CloseReason.UPSTREAM_WRITE_TIMEOUT,
}

NAMES: Final = ("client", "upstream")
"""The sides, for the log."""


def sides_of(connection: "RelayedConnection", upstream: Upstream) -> tuple[Side, Side]:
    """Return the client's side and the upstream's, without their sockets."""
    plan = connection.host.active.plan
    kind = SIDES[plan.engine]
    client = kind(connection, PEER) if plan.tls is None else SecureSide(connection, PEER, kind, plan.tls)
    server = kind(connection, UPSTREAM) if upstream.tls is None else SecureSide(connection, UPSTREAM, kind)
    return client, server


def accepted_socket(engine: Engine, family: int, descriptor: int) -> socket.SocketType:
    """Return the socket of a client that was just accepted."""
    made = socket.SocketType if engine is Engine.CALLBACK else socket.socket  # transports need the latter
    sock = made(family, socket.SOCK_STREAM, 0, descriptor)
    sock.setblocking(False)
    free_send_buffer(sock)
    return sock
