"""A listening socket that does not answer: clients that connect get neither a connection nor a refusal.

The kernel drops a packet whose TTL is below a socket's minimum (IP_MINTTL of ip(7), IPV6_MINHOPCOUNT). With the
minimum 255, no SYN reaches the socket. The ACK that ends a handshake in progress is not checked: the connection is
established and queued. Queued connections are accepted as usual.

The filter belongs to the socket: it applies to every copy in any process, and outlives the process that set it. No
privilege is needed.
"""

import socket
from contextlib import suppress
from typing import Final

# Rule: a connection established on a filtered socket inherits the filter. Every process that accepts on the socket
#       removes it from each connection, and gets a command before the filter is set.
# Rule: best effort: on kernels without these options, sockets are not filtered.

IP_MINTTL: Final = 21  # linux/in.h; the socket module does not name them
IPV6_MINHOPCOUNT: Final = 73  # linux/in6.h
MOST: Final = 255  # packets usually leave with 64 or 128; a peer whose packets arrive with 255 is not filtered

# An IPv6 socket may take IPv4 clients too; each family has its own check.
V4: Final = ((socket.IPPROTO_IP, IP_MINTTL),)
OPTIONS: Final = {socket.AF_INET: V4, socket.AF_INET6: (*V4, (socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT))}


def silence(sock: socket.SocketType) -> bool:
    """Answer no new client from now on; False if that is not possible."""
    return _set(sock, MOST)


def end_silence(sock: socket.SocketType) -> None:
    """Answer again; also removes an inherited filter from a connection."""
    _set(sock, 0)


def is_silent(sock: socket.SocketType) -> bool:
    """Whether a listening socket has the filter."""
    options = OPTIONS.get(socket.AddressFamily(sock.family), ())
    try:
        return bool(options) and all(sock.getsockopt(*option) == MOST for option in options)
    except OSError:
        return False


def end_inherited(descriptor: int, family: int) -> None:
    """Like `end_silence`, for a connection that was just accepted."""
    sock = socket.SocketType(family, socket.SOCK_STREAM, 0, descriptor)
    try:
        end_silence(sock)
    finally:
        sock.detach()


def reach_silent(sock: socket.SocketType) -> None:
    """Let a connection of our own reach a filtered socket on this machine."""
    with suppress(OSError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, MOST)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, MOST)


def _set(sock: socket.SocketType, least: int) -> bool:
    options = OPTIONS.get(socket.AddressFamily(sock.family), ())
    try:
        for option in options:
            sock.setsockopt(*option, least)
    except OSError:
        return False
    return bool(options)
