"""One side of a relayed connection: the client's, or the upstream's."""

import socket
from abc import ABC, abstractmethod
from typing import Protocol

from answerback.net.delivery import Delivery
from answerback.net.host import Host
from answerback.net.relay.relaying import Relaying

# Rule: a side tells its connection what happens on its socket, and decides nothing.


class Progress(Protocol):
    """What a side needs to know of the connection's state."""

    active_at: float
    """When bytes were last passed on."""

    @property
    def over(self) -> bool:
        """Whether the connection is over."""

    def wants_read(self, side: int) -> bool:
        """Whether to read from a side."""


class SideOwner(Protocol):
    """What a side tells what happens on its socket: a relayed connection, or what is between the two."""

    @property
    def host(self) -> Host:
        """The listener."""

    @property
    def relay(self) -> Progress:
        """The connection's state."""

    @property
    def relaying(self) -> Relaying:
        """What the worker's relays share."""

    def received(self, side: int, data: bytes | memoryview, now: float) -> None:
        """A side has sent bytes."""

    def received_eof(self, side: int, now: float) -> None:
        """A side has sent FIN."""

    def sent(self, side: int, size: int) -> None:
        """The kernel has taken bytes for a side."""

    def writing_paused(self, side: "Side") -> None:
        """The kernel has not taken everything for a side."""

    def writing_resumed(self, side: "Side") -> None:
        """The kernel has taken everything for a side."""

    def lost(self, side: int, error: OSError) -> None:
        """A side was reset, or cannot be reached any more."""

    def failed(self) -> None:
        """Handle an exception: log it, and end this connection alone."""


class Side(ABC):
    """A socket, whose peer is a `delivery.Receiver`. A subclass, one for each engine, implements input and output."""

    __slots__ = ("connection", "delivery", "side", "sock")

    connection: SideOwner
    sock: socket.SocketType
    delivery: Delivery | None
    """What the peer takes; None while the kernel has taken everything."""

    def __init__(self, connection: SideOwner, side: int) -> None:
        """`side`: PEER or UPSTREAM."""
        self.connection = connection
        self.side = side
        self.delivery = None

    # ── See `delivery.Receiver` ───────────────────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def unsent(self) -> int:
        """Return the bytes that the kernel has not taken."""

    @property
    def write_timeout(self) -> float:
        """Seconds within which the peer has to take a part of what it is sent."""
        return self.connection.host.active.plan.limits.write_timeout

    @property
    def active_at(self) -> float:
        """When bytes were last passed on."""
        return self.connection.relay.active_at

    def writing_progressed(self, now: float) -> None:
        """The peer has taken a part of what it is sent."""
        self.connection.relay.active_at = now

    def expect_delivery(self, now: float) -> None:
        """The kernel has not taken everything: set what the peer has to take in time."""
        self.delivery = Delivery()
        self.delivery.proceed(self, now)

    def on_time(self, now: float) -> bool:
        """Whether the peer has taken enough in time; then set what it has to take next."""
        delivery = self.delivery
        if delivery is None or now < delivery.check_at:
            return True
        if not delivery.reached(self) and not delivery.excused(self):
            return False
        delivery.proceed(self, now)
        return True

    # ── See `run_queue.Runnable` and `poller.PollHandler` ─────────────────────────────────────────────────────────

    @property
    def finished(self) -> bool:
        """Whether the connection is over."""
        return self.connection.relay.over

    @abstractmethod
    def run_turn(self) -> None:
        """Pass on what has arrived, for one turn."""

    # ── What the connection does with it ──────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def take(self, sock: socket.SocketType) -> None:
        """This is the side's socket, which it closes from now on."""

    @abstractmethod
    async def open(self) -> None:
        """The connection is about to be relayed. Raises OSError."""

    @abstractmethod
    def attend(self) -> None:
        """Read or not, as the relay wishes."""

    @abstractmethod
    def send(self, data: bytes | memoryview) -> None:
        """Send bytes; the memory may be reused afterwards."""

    @abstractmethod
    def finish(self, *, cut: bool = False) -> None:
        """Send FIN. Everything before it is in the kernel. `cut`: see `core.relay.Finish`."""

    @abstractmethod
    def close(self, *, reset: bool) -> None:
        """Close the socket; `reset` by RST."""
