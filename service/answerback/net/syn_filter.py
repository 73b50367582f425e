"""Silence on a listening socket: a client that connects gets no answer at all, neither a connection nor a refusal.

The kernel drops a packet whose TTL is below the least that a socket takes (IP_MINTTL of ip(7), IPV6_MINHOPCOUNT). With
255 as the least, no SYN reaches the socket. The ACK that ends a handshake in progress belongs to that handshake, and is
not looked at: the connection is established and queued. Connections in the queue are accepted as ever.

It belongs to the socket: it holds for every copy of it, in whatever process, and outlives the process that asked for
it. No privilege is needed.
"""

import socket
from contextlib import suppress
from typing import Final

# Rule: a connection that is established on a silent socket inherits the silence. Every process that accepts on the
#       socket ends it on each connection, and knows that it has to before the socket falls silent.
# Rule: a best effort: where a kernel does not have these options, sockets stay as they are.

IP_MINTTL: Final = 21  # linux/in.h; the socket module does not name them
IPV6_MINHOPCOUNT: Final = 73  # linux/in6.h
MOST: Final = 255  # packets leave with 64 or 128 as a rule; a peer whose packets arrive with 255 is heard even so

# An IPv6 socket may take IPv4 clients too; each family has its own check.
V4: Final = ((socket.IPPROTO_IP, IP_MINTTL),)
OPTIONS: Final = {socket.AF_INET: V4, socket.AF_INET6: (*V4, (socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT))}


def silence(sock: socket.SocketType) -> bool:
    """Answer no new client from now on; False where that is not possible."""
    return _set(sock, MOST)


def end_silence(sock: socket.SocketType) -> None:
    """Answer again, if that was not so; also of a connection that has inherited the silence."""
    _set(sock, 0)


def is_silent(sock: socket.SocketType) -> bool:
    """Whether a listening socket is silent."""
    options = OPTIONS.get(socket.AddressFamily(sock.family), ())
    try:
        return bool(options) and all(sock.getsockopt(*option) == MOST for option in options)
    except OSError:
        return False


def end_inherited(descriptor: int, family: int) -> None:
    """The same as `end_silence` of a connection that was just accepted."""
    sock = socket.SocketType(family, socket.SOCK_STREAM, 0, descriptor)
    try:
        end_silence(sock)
    finally:
        sock.detach()


def reach_silent(sock: socket.SocketType) -> None:
    """Have a connection of our own reach a silent socket on this machine."""
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
