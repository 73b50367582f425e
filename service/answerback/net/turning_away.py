"""Connections over a limit: what the rules on LIMIT say to them."""

import socket
from typing import TYPE_CHECKING, Final

from answerback.compat import override
from answerback.core.actions import CloseReason
from answerback.core.plan import ActivePlan, ListenerPlan
from answerback.core.session import Session
from answerback.net.host import Host, HostBeside
from answerback.net.layers import inner_layers
from answerback.net.peers import packed
from answerback.net.resets import reset_on_close
from answerback.net.served import Served
from answerback.shared.listener_counters import Cells
from answerback.shared.uncounted import RejectedCounters

if TYPE_CHECKING:
    from collections.abc import Callable

    from answerback.net.connection import Connection

    Driver = Callable[[Host, int, int, bytes | None], Connection]

# Rule: such a connection counts as rejected, and as nothing else.

MAX_LINGERING: Final = 64  # connections at once, of a listener in a worker; the next is reset


class TurningAway(HostBeside):
    """The connections of one listener that are over a limit. They know it as `host.Host`."""

    def __init__(self, listener: Host, region: Cells, block: int, plan: ListenerPlan) -> None:
        super().__init__(listener, ActivePlan(plan), RejectedCounters(region, block))
        self.connections: set[Served] = set()

    def accept(self, driver: "Driver", descriptor: int, family: int, address: object) -> None:
        """Turn this connection away, in words if not too many linger."""
        if len(self.connections) >= MAX_LINGERING:
            sock = socket.SocketType(family, socket.SOCK_STREAM, 0, descriptor)
            reset_on_close(sock)
            sock.close()
            return
        connection = driver(self, descriptor, family, None)
        self.connections.add(connection)
        if self.active.plan.counts_peers:
            connection.packed_peer = packed(family, address)
        connection.begin()

    def take(self, connection: "Connection", now: float) -> bool:
        """Turn a connection away whose client has become known; False if too many linger: reset it."""
        if len(self.connections) >= MAX_LINGERING:
            return False
        self.connections.add(connection)
        connection.host, connection.counters = self, self.counters
        connection.session = inner_layers(Session(self.active, self.counters, now, connection), self.active)
        return True

    @override
    def connection_closed(self, connection: Served, peer: bytes | None) -> None:
        """See `host.Host`."""
        self.connections.discard(connection)
        super().connection_closed(connection, peer)

    def abort(self) -> None:
        """Reset all of them."""
        for connection in tuple(self.connections):
            connection.abort(CloseReason.ABORTED)
