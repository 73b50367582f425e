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
MAX_TTL: Final = 255  # packets usually leave with 64 or 128; a peer whose packets arrive with 255 is not filtered

# An IPv6 socket may take IPv4 clients too; each family has its own check.
V4: Final = ((socket.IPPROTO_IP, IP_MINTTL),)
OPTIONS: Final = {socket.AF_INET: V4, socket.AF_INET6: (*V4, (socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT))}


def drop_syns(sock: socket.SocketType) -> bool:
    """Set the filter: no new client gets an answer. False if that is not possible."""
    return _set(sock, MAX_TTL)


def accept_syns(sock: socket.SocketType) -> None:
    """Remove the filter, also from a connection that has inherited it."""
    _set(sock, 0)


def drops_syns(sock: socket.SocketType) -> bool:
    """Whether a listening socket has the filter."""
    options = OPTIONS.get(socket.AddressFamily(sock.family), ())
    try:
        return bool(options) and all(sock.getsockopt(*option) == MAX_TTL for option in options)
    except OSError:
        return False


def remove_inherited(descriptor: int, family: int) -> None:
    """Like `accept_syns`, for a connection that was just accepted."""
    sock = socket.SocketType(family, socket.SOCK_STREAM, 0, descriptor)
    try:
        accept_syns(sock)
    finally:
        sock.detach()


def pass_filter(sock: socket.SocketType) -> None:
    """Let a connection of our own pass the filter of a socket on this machine."""
    with suppress(OSError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, MAX_TTL)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, MAX_TTL)


def _set(sock: socket.SocketType, min_ttl: int) -> bool:
    options = OPTIONS.get(socket.AddressFamily(sock.family), ())
    try:
        for option in options:
            sock.setsockopt(*option, min_ttl)
    except OSError:
        return False
    return bool(options)
