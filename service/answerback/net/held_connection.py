"""A connection that is accepted, and neither read nor answered: `accept: HOLD`.

the listener is NORMAL again     an engine's connection takes over, as if it had just been accepted
lifetime, drain, the peer's FIN  an engine's connection takes over and closes it in order
the peer's RST, abort            it is closed here
"""

import socket
from collections.abc import Callable
from math import inf
from time import monotonic

from answerback.compat import override
from answerback.core.actions import CloseReason
from answerback.core.session.script import HANG_SECONDS
from answerback.net.connection import Connection
from answerback.net.host import Host
from answerback.net.poller import FIN
from answerback.net.resets import reset_on_close

# Rule: nothing is read here, so that the connection that takes over gets all data.

StartEngine = Callable[["HeldConnection", CloseReason | None], None]


class HeldConnection(Connection):
    """Holds a connection until an engine takes over."""

    __slots__ = ("_start_engine", "_until")

    def __init__(self, host: Host, descriptor: int, family: int, peer: bytes | None, start_engine: StartEngine) -> None:
        """`start_engine` makes an engine's connection over `sock`; if a reason is given, to close it in order."""
        super().__init__(host, socket.SocketType(family, socket.SOCK_STREAM, 0, descriptor), peer)
        self._start_engine = start_engine
        lifetime = host.active.plan.limits.lifetime
        self._until = monotonic() + (HANG_SECONDS if lifetime == inf else lifetime)

    def begin(self) -> None:
        """Start holding."""
        self.host.poller.watch(self.sock.fileno(), self, FIN, 0)
        self.host.deadlines.set(self, self._until)

    @override
    def ready(self, _events: int) -> None:
        """The peer has left, by FIN or RST."""
        if self.error() is None:
            self._hand_over(CloseReason.PEER_GAVE_UP)
        else:
            self._close(CloseReason.PEER_GAVE_UP)

    @override
    def run_turn(self) -> None:
        """Its deadline has come."""
        if not self.finished:
            self.keep_time()

    @property
    @override
    def received_any(self) -> bool:
        """Unknown, as nothing is read; so it does not count as a connection without data."""
        return True

    @property
    @override
    def finished(self) -> bool:
        """Also true after an engine took over."""
        return self.sock.fileno() < 0

    @property
    @override
    def waits_for(self) -> str:
        return "release"

    @property
    @override
    def unsent(self) -> int:
        return 0

    @override
    def keep_time(self) -> None:
        if monotonic() < self._until:
            self.host.deadlines.set(self, self._until)
        else:
            self._hand_over(CloseReason.MAX_LIFETIME)

    def release(self) -> None:
        """Start the conversation."""
        self._hand_over(None)

    @override
    def drain(self) -> None:
        self._hand_over(CloseReason.DRAIN)

    @override
    def abort(self, reason: CloseReason) -> None:
        reset_on_close(self.sock)
        self._close(reason)

    def _hand_over(self, end: CloseReason | None) -> None:
        self.host.poller.watch(self.sock.fileno(), self, 0, FIN)
        self.host.deadlines.clear(self)
        self._start_engine(self, end)

    def _close(self, reason: CloseReason) -> None:
        self.host.poller.forget(self.sock.fileno())
        self.sock.close()
        self.closed(reason)
