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
from math import inf
from typing import Final

PROGRESS: Final = 64 << 10  # bytes that a peer has to take within `write_timeout`, unless less is left
LARGE: Final = 16 << 10  # bytes sent at once, from which on a check costs little beside copying them
# Of a socket, which the kernel doubles: 297 kB wait there for a peer that does not read, instead of 4.2 MB; 64 MiB over
# loopback take as long as without. With 16 KiB they take minutes: loopback's segments are of 64 KiB.
SEND_BUFFER: Final = 128 << 10
BACKSTOP_SECONDS: Final = 1.0  # after `write_timeout`: the kernel ends the connection by itself if the process is gone
MOST_MILLISECONDS: Final = (1 << 31) - 1  # of TCP_USER_TIMEOUT

BYTES_ACKED: Final = 120  # where tcpi_bytes_acked stands in struct tcp_info (linux/tcp.h)


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


def bound_send_time(sock: socket.socket, write_timeout: float) -> None:
    """Let the kernel end those connections itself, even if their process has died."""
    milliseconds = (
        0 if write_timeout == inf else min(round((write_timeout + BACKSTOP_SECONDS) * 1000), MOST_MILLISECONDS)
    )
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
