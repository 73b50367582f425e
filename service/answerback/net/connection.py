"""What the two drivers have in common: one connection of a listener, from accept to close."""

import asyncio
import errno
import logging
import os
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from random import Random
from time import monotonic
from typing import Protocol

from answerback.core.actions import Abort, Action, Close, CloseReason, Send
from answerback.core.plan import PlanInForce
from answerback.core.session import Session
from answerback.net.deadlines import Deadlines
from answerback.net.delivery import PROGRESS, acknowledged, unread
from answerback.net.poller import Readiness
from answerback.net.run_queue import RunQueue
from answerback.shared.listener_counters import ListenerCounters
from answerback.shared.sequences import SharedSequences

# Rule: each connection goes through `closed` once, whatever ends it.

READ_BYTES = 64 << 10
SEVERAL = 2  # requests: what they were answered together may be much
DEPART_SECONDS = 0.25  # between two looks at what a peer has taken, that is all we wait for
LINGER_ZERO = struct.pack("ii", 1, 0)  # close(2) sends RST (socket(7), SO_LINGER)
PROBE_REASONS = (CloseReason.PEER_EOF, CloseReason.PEER_RESET)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Departure:
    """The conversation is over, and the socket is kept until the peer has taken what it was sent."""

    reason: CloseReason


class Host(Protocol):
    """The listener, as far as its connections know it."""

    name: str
    loop: asyncio.AbstractEventLoop
    in_force: PlanInForce
    books: ListenerCounters
    deadlines: Deadlines
    readiness: Readiness
    run_queue: RunQueue
    chance: Random
    claims: SharedSequences

    def next_connection_id(self) -> str:
        """One that no other connection of this run has."""

    def left(self, connection: "Connection", peer: bytes | None) -> None:
        """The connection is closed."""


class Connection(ABC):
    """A connection and its session. A driver adds how bytes come and go."""

    __slots__ = (
        "_delivery",
        "_ending",
        "_id",
        "alarm",
        "books",
        "counted_peer",
        "due",
        "heard",
        "host",
        "session",
        "sock",
    )

    def __init__(self, host: Host, sock: socket.SocketType, peer: bytes | None) -> None:
        """`sock` was just accepted; `peer` is its packed address if it counts towards a limit."""
        self.host = host
        self.sock = sock
        self.counted_peer = peer
        self.books = host.books
        self.session = Session(host.in_force, host.books, monotonic(), self)
        # When to look whether the peer takes what it is sent, and what it has to have acknowledged by then, if that is
        # known; None as long as it is the first look.
        self._delivery: tuple[float, int | None] | None = None
        self._id: str | None = None
        self._ending: Action | Departure | None = None  # what to do once the kernel has taken everything
        self.alarm: int | None = None
        self.due = inf
        self.heard = False  # whether the peer ever sent a byte

    clock = staticmethod(monotonic)
    """See `playing.Surroundings`."""

    @property
    def connection_id(self) -> str:
        """See `playing.Surroundings`."""
        if self._id is None:
            self._id = self.host.next_connection_id()
        return self._id

    @property
    def peer(self) -> tuple[str, int]:
        """See `playing.Surroundings`."""
        try:
            address = self.sock.getpeername()
        except OSError:  # it has gone
            return "", 0
        return (address[0], address[1]) if isinstance(address, tuple) else ("", 0)

    @property
    def local_port(self) -> int:
        """See `playing.Surroundings`."""
        address = self.sock.getsockname()
        return int(address[1]) if isinstance(address, tuple) else 0

    @property
    def chance(self) -> Random:
        """See `playing.Surroundings`."""
        return self.host.chance

    @property
    def wall_clock(self) -> Callable[[], datetime]:
        """See `playing.Surroundings`."""
        return utc_now

    def claim(self, place: int, most: int) -> int | None:
        """See `playing.Surroundings`."""
        return self.host.claims.claim(place, most)

    def keep_deadline(self) -> None:
        """Be woken in time for the session's deadline, and to look what the peer has taken."""
        deadline = min(self.session.deadline, self._look_at)
        if deadline < self.due:
            self.host.deadlines.set(self, deadline)

    def closed(self, reason: CloseReason) -> None:
        """The socket is closed, or will be before anything else happens: enter it in the books."""
        if self.alarm is not None:
            self.host.deadlines.clear(self)
        self.host.run_queue.forget(self)
        self.books.closed(reason, not self.heard and reason in PROBE_REASONS)
        self.host.left(self, self.counted_peer)

    # ── What the peer has taken ───────────────────────────────────────────────────────────────────────────────────

    @property
    @abstractmethod
    def unsent(self) -> int:
        """Bytes that the kernel has not taken."""

    @property
    def departing(self) -> bool:
        """Whether the conversation is over, and only the socket is kept: see `depart`."""
        return type(self._ending) is Departure

    @property
    def _look_at(self) -> float:
        if self._delivery is None:
            return self.session.born + self.host.in_force.plan.limits.write_timeout
        return self._delivery[0]

    @property
    def _goal(self) -> int | None:
        return None if self._delivery is None else self._delivery[1]

    def sent_much(self, now: float) -> None:
        """Begin to time how the peer takes what it was sent, unless it is behind already."""
        if self._goal is None or self._acknowledged() >= self._goal:
            self._look_on(now)
            self.keep_deadline()

    def on_time(self, now: float) -> bool:
        """Whether the peer takes what it is sent; if not, the connection has been reset."""
        if now < self._look_at:
            return True
        if self._goal is None or self._acknowledged() >= self._goal or self._is_unix_and_talks():
            self._look_on(now)
            return True
        self.abort(CloseReason.WRITE_TIMEOUT)
        return False

    def _is_unix_and_talks(self) -> bool:
        """Whether what is left may be another reply than that of the last look, for all that the kernel tells."""
        if self.sock.family != socket.AF_UNIX or self.unsent:
            return False
        return self.session.active_at > self._look_at - self.host.in_force.plan.limits.write_timeout

    def _look_on(self, now: float) -> None:
        """The peer is on time: see what it has to take next."""
        left = self._left()
        goal = self._acknowledged() + min(left, PROGRESS) if left else None
        self._delivery = now + self.host.in_force.plan.limits.write_timeout, goal
        self.session.progressed(now)

    def _left(self) -> int:
        return unread(self.sock) + self.unsent

    def _acknowledged(self) -> int:
        """Bytes that the peer has taken; on a Unix socket, where nobody counts them, what is left, negated."""
        return -self._left() if self.sock.family == socket.AF_UNIX else acknowledged(self.sock)

    def depart(self, ending: Close) -> bool:
        """Close the socket only when the peer has taken everything; False if that can be done at once.

        Who has had one small reply is not asked about: the kernel looks after that, as `TCP_USER_TIMEOUT` says.
        """
        if (self._goal is None and self.session.number < SEVERAL) or not self._owes():
            return False
        with suppress(OSError):  # it has been done
            self.sock.shutdown(socket.SHUT_WR)
        self._ending = Departure(ending.reason)
        self.host.deadlines.set(self, monotonic() + DEPART_SECONDS)
        if self._goal is None:
            self._look_on(monotonic())
        return True

    def _owes(self) -> bool:
        """Whether a TCP peer has not acknowledged all that it was sent, but for our FIN."""
        return self.sock.family != socket.AF_UNIX and self.error() is None and unread(self.sock) > 1

    def departs(self) -> CloseReason | None:
        """Of one that departs: why, if it can be closed now. If it cannot, it waits on, or has been reset."""
        ending = self._ending
        assert type(ending) is Departure
        if not self._owes():
            return ending.reason
        now = monotonic()
        if self.on_time(now):
            self.host.deadlines.set(self, min(now + DEPART_SECONDS, self._look_at))
        return None

    def error(self) -> OSError | None:
        """The error that the socket has, the peer's RST for example."""
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def failed(self) -> None:
        """An exception came out of the session, and is being handled: it ends this connection alone."""
        log.exception(  # noqa: LOG004 - called from the drivers' handlers alone
            "session failed, connection aborted", extra={"listener": self.host.name}
        )
        self.books.failed()
        self.abort(CloseReason.INTERNAL_ERROR)

    def _gather(self, actions: Sequence[Action]) -> bytes | memoryview | list[bytes | memoryview]:
        """What is to be sent, joined unless a part of it is large; how it ends is noted, or done if it cannot wait."""
        chunks: list[bytes | memoryview] = []
        for action in actions:
            if type(action) is Send:
                chunks.append(action.data)
            elif type(action) is Abort:
                self.abort(action.reason)
                return b""
            else:
                self._ending = action
        if len(chunks) == 1:
            return chunks[0]
        return chunks if memoryview in map(type, chunks) else b"".join(chunks)

    @abstractmethod
    def begin(self) -> None:
        """Take up the conversation."""

    def wake(self) -> None:
        """The session's deadline has come, or is near: see to it, or stand in line for it."""
        run_queue = self.host.run_queue
        if run_queue.over:
            run_queue.add(self)
            return
        began = monotonic()
        self.keep_time()
        now = monotonic()
        run_queue.charge(self, now - began, now)

    @abstractmethod
    def keep_time(self) -> None:
        """Tell the session that its deadline has come, or is near."""

    def stand_in_line(self) -> None:
        """See `readiness.Ready`."""
        self.host.run_queue.add(self)

    @property
    def finished(self) -> bool:
        """See `run_queue.Runnable`."""
        return self.session.over

    @abstractmethod
    def run_turn(self) -> None:
        """See `run_queue.Runnable`."""

    @abstractmethod
    def drain(self) -> None:
        """Finish what is in progress, then close in order."""

    @abstractmethod
    def abort(self, reason: CloseReason) -> None:
        """Reset the connection now."""


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def reset_on_close(sock: socket.SocketType) -> None:
    """Have close(2) reset the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)


def reason_of(error: OSError) -> CloseReason:
    """Why a connection ended on which a system call failed."""
    if error.errno in (errno.ECONNRESET, errno.EPIPE):
        return CloseReason.PEER_RESET
    if error.errno == errno.ETIMEDOUT:  # TCP_USER_TIMEOUT
        return CloseReason.WRITE_TIMEOUT
    return CloseReason.PEER_LOST
