"""What a listener, and the worker, need of a connection: of one that a session answers, and of one that is relayed."""

import socket
from typing import Protocol

from answerback.core.actions import CloseReason
from answerback.net.host import Host
from answerback.net.run_queue import Runnable
from answerback.shared.journal.listener_journal import ListenerJournal
from answerback.shared.listener_counters import ListenerCounters


class Served(Runnable, Protocol):
    """An open connection of a listener."""

    host: Host
    counters: ListenerCounters
    received_bytes: int
    sent_bytes: int

    @property
    def received_any(self) -> bool:
        """Whether the client has sent a byte; a header is its proxy's."""

    @property
    def connection_number(self) -> int:
        """See `context.ConnectionInfo`."""

    @property
    def peer(self) -> tuple[str, int]:
        """The address and port of the client; empty and 0 on a Unix socket, or if it has disconnected."""

    @property
    def born(self) -> float:
        """When it was accepted."""

    @property
    def requests(self) -> int:
        """The number of its requests."""

    @property
    def state(self) -> str:
        """How far its end has come, as `ConnectionService` names it."""

    @property
    def waits_for(self) -> str:
        """What has to happen next, as `ConnectionService` names it."""

    @property
    def rule_state(self) -> str:
        """The state that rules have set."""

    def record(self, journal: ListenerJournal | None, now: float) -> None:
        """Record in this journal from now on, or not at all."""

    def drain_after_first_request(self) -> None:
        """Nothing has come from the client: answer its first request, then close in order. A relay does not see it."""

    def drain(self) -> None:
        """Finish what is in progress, then close in order."""

    def close_in_order(self) -> None:
        """Close in order now: a relay, which cannot see what is in progress, does not wait for a pause."""

    def abort(self, reason: CloseReason) -> None:
        """Reset the connection now."""


def peer_of(sock: socket.SocketType) -> tuple[str, int]:
    """Return the address and port of a socket's peer; empty and 0 on a Unix socket, or if it has disconnected."""
    try:
        address = sock.getpeername()
    except OSError:  # the peer has disconnected
        return "", 0
    return (address[0], address[1]) if isinstance(address, tuple) else ("", 0)
