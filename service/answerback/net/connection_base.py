"""What a connection tells its rules and faults: see `context.ConnectionInfo`. A session has it, and so has a relay."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from time import monotonic
from typing import TYPE_CHECKING

from answerback.core.matching import Mismatch
from answerback.core.shared_view import SharedView
from answerback.net.host import Host
from answerback.net.peers import packed_peer_of
from answerback.net.served import peer_of
from answerback.shared.listener_counters import ListenerCounters

if TYPE_CHECKING:
    from answerback.net.announcing import Announcement

# Rule: subclasses set the fields: a call more for each connection would cost more than the lines.


class ConnectionBase(ABC):
    """What follows from the listener, the client's socket, and what a proxy has said of the client."""

    __slots__ = ("_drawn", "_packed_peer", "_wait", "address", "announcement", "counters", "host", "number")

    host: Host
    counters: ListenerCounters
    announcement: "Announcement | None"
    """Who the client is, if a proxy has said so."""
    received_bytes: int
    address: object
    """The client's address, if it is kept; None if the socket has to be asked."""
    number: int
    """See `connection_number`: drawn when it is first used, or at once for the journal; 0 before that."""
    _drawn: int | None
    """The same among the listener's connections; None before it is drawn."""
    _wait: int
    """The number of the wait for a signal; 0 if there is none."""
    _packed_peer: bytes | None
    """None before it is first used."""

    clock = staticmethod(monotonic)
    """The clock of deadlines."""

    @property
    @abstractmethod
    def sock(self) -> socket.SocketType:
        """The client's socket."""

    @property
    def connection_id(self) -> str:
        """See `context.ConnectionInfo`."""
        return f"{self.host.process}-{self.connection_number}"

    @property
    def connection_number(self) -> int:
        """See `context.ConnectionInfo`."""
        if not self.number:
            self.number = self.host.next_connection_number()
        return self.number

    def connection_key(self) -> tuple[int, str, int]:
        """See `context.SessionConnection`."""
        return self.connection_number, *self.peer

    @property
    def listener_number(self) -> int:
        """See `context.ConnectionInfo`. It is counted where the listener's block begins in the shared region."""
        if self._drawn is None:
            number = self.host.sequences.next_number(self.host.active.plan.block, 0)
            assert number is not None, "there is no maximum"
            self._drawn = number + 1
        return self._drawn

    def serve_uncounted(self, host: Host) -> None:
        """Count nothing, and record nothing: the peer is no client. It takes none of the listener's numbers."""
        if self.counters is not self.host.counters:
            self.counters = host.counters
        self.host = host
        self._drawn = 0

    @property
    def received_any(self) -> bool:
        """Whether the client has sent a byte; a header is its proxy's."""
        announcement = self.announcement
        return self.received_bytes > (0 if announcement is None else announcement.header_bytes)

    @property
    def peer(self) -> tuple[str, int]:
        """The address and port of the client; empty and 0 on a Unix socket, or if it has disconnected."""
        if self.announcement is not None:
            return self.announcement.peer
        address = self.address
        if address is None:
            return peer_of(self.sock)
        return (address[0], address[1]) if isinstance(address, tuple) else ("", 0)

    @property
    def packed_peer(self) -> bytes:
        """What the client is for counters: see `net.peers`.

        If it has disconnected before a change of the plan made this necessary, it counts as one with all such clients.
        """
        if self._packed_peer is None:
            self._packed_peer = packed_peer_of(self.sock, self.address)
        return self._packed_peer

    @packed_peer.setter
    def packed_peer(self, peer: bytes) -> None:
        self._packed_peer = peer

    @property
    def proxy_host(self) -> str:
        """See `context.ConnectionInfo`."""
        return "" if self.announcement is None else self.announcement.proxy_host

    @property
    def local_port(self) -> int:
        """The port that the client connected to; 0 on a Unix socket."""
        address = self.sock.getsockname()
        return int(address[1]) if isinstance(address, tuple) else 0

    @property
    def chance(self) -> Random:
        """The listener's random generator."""
        return self.host.chance

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """A function that returns the current time."""
        return utc_now

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Return the next number of a sequence that all workers share; None after `max_numbers`."""
        return self.host.sequences.next_number(cell, max_numbers, window_seconds)

    def next_number_of_peer(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Return the next number of this peer in such a sequence."""
        return self.host.sequences.next_number_of_peer(
            cell, self.packed_peer, max_numbers, window_seconds, self.counters.peer_evicted
        )

    def unexpected(self, rule: str, explain: Callable[[], Mismatch], /) -> None:
        """Log that a frame is not what the rule's script expects."""
        self.host.unexpected(rule, explain)

    def forgo_signal(self) -> None:
        """End the wait for a signal, if there is one."""
        if self._wait:
            self.host.signals.give_up(self._wait)
            self._wait = 0

    def give_signal(self, name: str, /) -> None:
        """Give a signal."""
        self.host.signals.give(name)

    def shared_view(self) -> SharedView:
        """Return a view of the shared variables, for one event."""
        return self.host.shared_view()


def utc_now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)
