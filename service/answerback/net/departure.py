"""The end of a connection whose peer still reads: the conversation is over, and the socket stays open meanwhile."""

import socket
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

from answerback.core.actions import CloseReason
from answerback.net.delivery import unread

if TYPE_CHECKING:
    from answerback.net.connection import Connection

DEPART_SECONDS: Final = 0.25  # between two checks of what a peer has read, while nothing else is awaited


@dataclass(frozen=True, slots=True)
class Departure:
    """The conversation is over, and the socket stays open until the peer has taken everything."""

    reason: CloseReason

    def is_awaited(self, connection: "Connection") -> bool:
        """Whether a TCP peer has not acknowledged everything sent, except our FIN."""
        sock = connection.sock
        return sock.family != socket.AF_UNIX and connection.error() is None and unread(sock) > 1

    def begin(self, connection: "Connection") -> None:
        """FIN was sent: check from now on what the peer takes."""
        now = monotonic()
        connection.host.deadlines.set(connection, now + DEPART_SECONDS)
        if not connection.has_goal:
            connection.expect_delivery(now)

    def check(self, connection: "Connection") -> CloseReason | None:
        """Return the close reason if the socket can be closed now; None if the peer still reads, or was too slow."""
        if not self.is_awaited(connection):
            return self.reason
        now = monotonic()
        if connection.on_time(now):
            connection.host.deadlines.set(connection, min(now + DEPART_SECONDS, connection.check_at))
        return None
