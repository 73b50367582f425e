"""Connections that begin with a PROXY header: who is counted, once it is known who the client is.

accepted         open, towards `max_connections`, and not yet accepted for the counters
a client's       accepted; its address is the peer's, also for `max_connections_per_peer`
the proxy's own  (LOCAL) served as any other, and not counted, limited or recorded
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from answerback.core.actions import Abort, Action, CloseReason
from answerback.core.plan import ListenerPlan
from answerback.core.proxy_header import ProxyHeader, Source
from answerback.core.session import Session, SlowReader
from answerback.net.admission import Admission
from answerback.net.connection import Connection
from answerback.net.host import Host, HostBeside
from answerback.net.peers import packed_host
from answerback.net.served import Served
from answerback.shared.listener_counters import Cells
from answerback.shared.uncounted import AwaitingCounters, UncountedCounters

if TYPE_CHECKING:
    from answerback.net.listener import Listener

# Rule: a connection is accepted for the counters when its client is known, or when it is closed before.

RESET: Final[Sequence[Action]] = (Abort(CloseReason.ABORTED),)


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a header says of a connection."""

    peer: Source
    """The client's address and port."""
    proxy_host: str
    """The address of the peer of the socket; empty on a Unix socket."""
    header_bytes: int
    destination: Source | None = None
    """What the client has connected to; None if the header does not say."""


class Announced(Served, Protocol):
    """A connection whose client becomes known: one that a session answers, or one that is relayed."""

    announcement: Announcement | None
    address: object
    packed_peer: bytes
    counted_peer: bytes | None

    def draw_number(self) -> None:
        """See `Connection.draw_number`."""

    def serve_uncounted(self, host: Host) -> None:
        """Count nothing, and record nothing: the peer is no client."""


class ProxysOwn(HostBeside):
    """The connections of one listener that a proxy makes on its own behalf. They know it as `host.Host`."""

    def __init__(self, listener: Host, region: Cells, block: int) -> None:
        super().__init__(listener, listener.active, UncountedCounters(region, block))


class Announcing:
    """Learns who the clients of one listener are."""

    def __init__(self, listener: "Listener", admission: Admission, region: Cells, block: int) -> None:
        self._listener = listener
        self._admission = admission
        self.counters = AwaitingCounters(region, block)
        """Of connections whose header is awaited."""
        self._own = ProxysOwn(listener, region, block)

    def announced(
        self, connection: Connection, header: ProxyHeader | None, rest: bytes, now: float, *, fin: bool
    ) -> Sequence[Action]:
        """See `AwaitedConnection.announced`."""
        if not self.learn(connection, header):
            return self._turn_away(connection, now)
        return begun(connection, rest, now, fin=fin)

    def learn(self, connection: Announced, header: ProxyHeader | None) -> bool:
        """The client is known; False if it is over its limit. Without a header it is the peer itself."""
        host, port = connection.peer
        if header is not None:
            connection.announcement = Announcement(header.source or (host, port), host, header.size, header.destination)
            if header.source is not None:
                connection.address, connection.packed_peer = header.source, packed_host(header.source[0])
        plan = self._listener.active.plan
        if header is not None and header.is_local:
            self._serve_own(connection)
        elif connection.counters is self.counters and not self._count(connection, plan):
            return False
        elif plan.numbers_connections:
            connection.draw_number()
        return True

    def reset(self, connection: Announced) -> None:
        """The client of a relayed connection is over its limit."""
        self.counters.forgotten()
        connection.serve_uncounted(self._own)
        connection.abort(CloseReason.ABORTED)

    def released(self, connection: Announced) -> bool:
        """Whether a connection that was held may begin now, as if it had just been accepted; if not, it was reset."""
        plan = self._listener.active.plan
        if plan.proxy_protocol is not None:
            return True
        if connection.counters is self.counters and not self._count(connection, plan):
            self.counters.forgotten()
            connection.counters = self._own.counters
            connection.abort(CloseReason.ABORTED)
            return False
        connection.draw_number()
        return True

    def _count(self, connection: Announced, plan: ListenerPlan) -> bool:
        """Count the connection as its client's; False if it was rejected, because the client has too many."""
        if plan.limits.max_connections_per_peer:
            peer = connection.packed_peer
            rejection = self._admission.admit_peer(plan, peer, self.counters.header_arrived)
            if rejection is not None:
                self._listener.counters.rejected(rejection)
                return False
            connection.counted_peer = peer
        else:
            self.counters.header_arrived()
        connection.counters = self._listener.counters
        connection.counters.received(connection.received_bytes)
        return True

    def _serve_own(self, connection: Announced) -> None:
        if connection.counters is self.counters:
            self.counters.forgotten()
        connection.serve_uncounted(self._own)

    def _turn_away(self, connection: Connection, now: float) -> Sequence[Action]:
        """The client is over its limit: reset it, or do what the rules on LIMIT say."""
        self.counters.forgotten()
        connection.session.recorder = None
        turning_away = self._listener.turning_away(self._listener.active.plan)
        if turning_away is not None and turning_away.take(connection, now):
            return connection.session.connection_made(now)
        connection.counters = self._own.counters
        return RESET

    def closed(self, connection: Served) -> None:
        """A connection of the listener is closed."""
        if connection.counters is self.counters:
            # Its bytes were not counted before it was known what for.
            self._listener.counters.received(connection.received_bytes)


def begun(connection: Connection, rest: bytes, now: float, *, fin: bool) -> Sequence[Action]:
    """Begin the conversation, with what the client has sent already."""
    layer = connection.session
    greets = layer.has_connect_rules
    actions: Sequence[Action] = layer.connection_made(now) if greets else ()
    if fin or (greets and rest):  # the session takes it when it reads, behind what it does on connect
        if type(layer) is Session:
            connection.session = layer = SlowReader(layer, connection.host.active)
        if type(layer) is SlowReader:
            layer.hold(rest, now, fin=fin)
            return actions
    if rest:
        actions = layer.receive_data(rest, now)
    return [*actions, *layer.receive_eof(now)] if fin else actions  # with TLS: nothing was sent yet
