"""What a peer is for limits and counters: its address, without the port."""

import socket
from contextlib import suppress
from typing import Final

_MAPPED: Final = bytes(10) + b"\xff\xff"  # the prefix of an IPv4 address in IPv6 (RFC 4291, section 2.5.5.2)
_LINK_LOCAL: Final = 0xFE80  # with the mask 0xFFC0 (RFC 4291, section 2.5.6)


def packed(family: int, address: object) -> bytes:
    """Return the peer's address in network order; empty on a Unix socket.

    An IPv4 address in IPv6 is that IPv4 address. To a link-local address belongs its zone: the same address on
    another link is another host.
    """
    if not isinstance(address, tuple):
        return b""
    found = socket.inet_pton(family, str(address[0]).partition("%")[0])
    if found.startswith(_MAPPED):
        return found[len(_MAPPED) :]
    if family == socket.AF_INET6 and int.from_bytes(found[:2], "big") & 0xFFC0 == _LINK_LOCAL:
        return found + int(address[3]).to_bytes(4, "big")
    return found


def packed_peer_of(sock: socket.SocketType, address: object) -> bytes:
    """Return the peer of a connection; `address`: from accept, None if the socket has to be asked.

    Peers that have left before the socket is asked count as one.
    """
    if address is None:
        with suppress(OSError):
            address = sock.getpeername()
    return packed(sock.family, address)


def packed_host(host: str) -> bytes:
    """Return an address that a PROXY header names in network order; empty for the client of a Unix socket."""
    if not host:
        return b""
    return packed(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, 0, 0, 0))
