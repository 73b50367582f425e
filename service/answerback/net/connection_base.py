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

    __slots__ = ("_number", "_packed_peer", "address", "announcement", "counters", "host")

    host: Host
    counters: ListenerCounters
    announcement: "Announcement | None"
    """Who the client is, if a proxy has said so."""
    address: object
    """The client's address, while the journal needs it; None if the socket has to be asked."""
    _number: int
    """Drawn when it is first used; 0 before that."""
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
        if not self._number:
            self._number = self.host.next_connection_number()
        return self._number

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

    def give_signal(self, name: str, /) -> None:
        """Give a signal."""
        self.host.signals.give(name)

    def shared_view(self) -> SharedView:
        """Return a view of the shared variables, for one event."""
        return self.host.shared_view()


def utc_now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)
