"""Connections over a limit: what the rules on LIMIT say to them."""

import socket
from typing import TYPE_CHECKING, Final

from answerback.core.actions import CloseReason
from answerback.core.plan import ActivePlan, ListenerPlan
from answerback.net.connection import Connection
from answerback.net.host import Host
from answerback.net.resets import reset_on_close
from answerback.shared.listener_counters import Cells, ListenerCounters

if TYPE_CHECKING:
    from collections.abc import Callable

    from answerback.shared.journal.recorder import ListenerJournal

    Driver = Callable[[Host, int, int, bytes | None], Connection]

# Rule: such a connection counts as rejected, and as nothing else.

MAX_LINGERING: Final = 64  # connections at once, of a listener in a worker; the next is reset


class RejectedCounters(ListenerCounters):
    """Counts nothing but the matches of rules."""

    __slots__ = ()

    def closed(self, reason: CloseReason, probe: bool) -> None:
        """Not counted: it was rejected."""

    def received(self, size: int) -> None:
        """Not counted."""

    def sent(self, size: int) -> None:
        """Not counted."""

    def matched(self, rule: int) -> None:
        """A rule on LIMIT matched; without one, the connection is closed at once."""
        if rule >= 0:
            super().matched(rule)


class TurningAway:
    """The connections of one listener that are over a limit. They know it as `host.Host`."""

    def __init__(self, listener: Host, region: Cells, block: int, plan: ListenerPlan) -> None:
        self._listener = listener
        self.name = listener.name
        self.loop = listener.loop
        self.active = ActivePlan(plan)
        self.counters: ListenerCounters = RejectedCounters(region, block)
        self.deadlines = listener.deadlines
        self.poller = listener.poller
        self.run_queue = listener.run_queue
        self.signals = listener.signals
        self.chance = listener.chance
        self.sequences = listener.sequences
        self.shared_view = listener.shared_view
        self.journal: ListenerJournal | None = None
        self.process = listener.process
        self.next_connection_number = listener.next_connection_number
        self.unexpected = listener.unexpected
        self.connections: set[Connection] = set()

    def accept(self, driver: "Driver", descriptor: int, family: int) -> None:
        """Turn this connection away, in words if not too many linger."""
        if len(self.connections) >= MAX_LINGERING:
            sock = socket.SocketType(family, socket.SOCK_STREAM, 0, descriptor)
            reset_on_close(sock)
            sock.close()
            return
        connection = driver(self, descriptor, family, None)
        self.connections.add(connection)
        connection.begin()

    def connection_closed(self, connection: Connection, peer: bytes | None) -> None:  # noqa: ARG002 - none was counted
        """See `host.Host`."""
        self.connections.discard(connection)
        self._listener.connection_closed(connection, None)

    def abort(self) -> None:
        """Reset all of them."""
        for connection in tuple(self.connections):
            connection.abort(CloseReason.ABORTED)
