"""How much of the output a peer has taken: acknowledged by its kernel (TCP), or read (Unix sockets).

A reply that the kernel has taken completely may wait there for a peer that never reads. So the driver checks from
time to time: within `write_timeout` the peer has to take PROGRESS bytes, or everything that was left.

This costs no request anything: small replies are checked when the connection is woken anyway, once in
`write_timeout`. Only a reply of LARGE bytes, or one that the kernel did not take completely, is checked when it is
sent.
"""

import fcntl
import socket
import struct
import termios
from contextlib import suppress
from functools import lru_cache
from math import inf
from typing import Final, Protocol

SO_BUF_LOCK: Final = 72  # asm-generic/socket.h: whether SO_SNDBUF and SO_RCVBUF end the kernel's own tuning
PROGRESS: Final = 64 << 10  # bytes that a peer has to take within `write_timeout`, unless less is left
LARGE: Final = 16 << 10  # bytes sent at once, from which on a check costs little beside copying them
# Of a socket, which the kernel doubles: 297 kB wait there for a peer that does not read, instead of 4.2 MB; 64 MiB over
# loopback take as long as without. With 16 KiB they take minutes: loopback's segments are of 64 KiB.
SEND_BUFFER: Final = 128 << 10
BACKSTOP_SECONDS: Final = 1.0  # after `write_timeout`: the kernel ends the connection by itself if the process is gone
MOST_MILLISECONDS: Final = (1 << 31) - 1  # of TCP_USER_TIMEOUT

BYTES_ACKED: Final = 120  # where tcpi_bytes_acked stands in struct tcp_info (linux/tcp.h)


class Receiver(Protocol):
    """A peer to which bytes are sent."""

    @property
    def sock(self) -> socket.SocketType:
        """Its socket."""

    @property
    def unsent(self) -> int:
        """The bytes that the kernel has not taken."""

    @property
    def write_timeout(self) -> float:
        """Seconds within which it has to take a part of the output."""

    @property
    def active_at(self) -> float:
        """When bytes last came from it, or a reply ended."""

    def writing_progressed(self, now: float) -> None:
        """It has taken enough output for its timeout to start again."""


def unread(sock: socket.SocketType) -> int:
    """Bytes in the kernel that the peer has not taken, including our FIN; on a Unix socket, their memory."""
    return int(struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0])


def acknowledged(sock: socket.SocketType) -> int:
    """Bytes that a TCP peer has acknowledged since it connected."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED + 8)
    return int(struct.unpack_from("Q", info, BYTES_ACKED)[0])


def taken(sock: socket.SocketType) -> int:
    """Bytes that the kernel has taken since a TCP peer connected, unless our FIN is sent."""
    return acknowledged(sock) + unread(sock)


def bound_send_buffer(sock: socket.socket) -> None:
    """Limit the send buffers of the connections that this listening socket accepts."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)


def free_send_buffer(sock: socket.socket | socket.SocketType) -> None:
    """Let the kernel tune the send buffer again, up to its `tcp_wmem` (tcp(7)): for a relay, which passes on much."""
    with suppress(OSError):  # before Linux 5.14 it stays bounded
        sock.setsockopt(socket.SOL_SOCKET, SO_BUF_LOCK, 0)


def bound_send_time(sock: socket.socket, write_timeout: float) -> None:
    """Let the kernel end those connections itself, even if their process has died."""
    milliseconds = (
        0 if write_timeout == inf else min(round((write_timeout + BACKSTOP_SECONDS) * 1000), MOST_MILLISECONDS)
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def first_check(time: float) -> float:
    """When to check first whether a peer takes what it is sent: up to 1/16 s later, at a time that many share."""
    return _sixteenths(int(time * 16)) if time < inf else inf


@lru_cache(4)
def _sixteenths(number: int) -> float:
    """One object for all connections of that moment: a number of its own would be 24 bytes for each that is idle."""
    return (number + 1) / 16


class Delivery:
    """What the peer of one connection takes. A connection makes it at the first check."""

    __slots__ = ("check_at", "goal")

    check_at: float
    """When to check next."""
    goal: int | None
    """What the peer must have acknowledged by then; None if nothing was left."""

    def __init__(self) -> None:
        self.check_at = inf
        self.goal = None

    def reached(self, receiver: Receiver) -> bool:
        """Whether the peer has taken what it had to take."""
        return self.goal is None or self._acknowledged(receiver) >= self.goal

    def proceed(self, receiver: Receiver, now: float) -> None:
        """The peer is on time: set what it has to take next."""
        left = _left(receiver)
        self.goal = self._acknowledged(receiver) + min(left, PROGRESS) if left else None
        self.check_at = now + receiver.write_timeout
        receiver.writing_progressed(now)

    def excused(self, receiver: Receiver) -> bool:
        """Whether the unread bytes may belong to a later reply: Unix sockets have no acknowledged count."""
        if receiver.sock.family != socket.AF_UNIX or receiver.unsent:
            return False
        return receiver.active_at > self.check_at - receiver.write_timeout

    def _acknowledged(self, receiver: Receiver) -> int:
        """Bytes that the peer has read; on a Unix socket, which has no such count, the unread bytes, negated."""
        sock = receiver.sock
        return -_left(receiver) if sock.family == socket.AF_UNIX else acknowledged(sock)


def _left(receiver: Receiver) -> int:
    return unread(receiver.sock) + receiver.unsent
