"""What a PROXY header says to an upstream of the client."""

import socket
from typing import TYPE_CHECKING

from answerback.core.proxy_header import Source
from answerback.core.proxy_sending import ClientTls, ForwardedClient, version_1, version_2
from answerback.core.relay import PEER
from answerback.net.relay.secure_side import SecureSide

if TYPE_CHECKING:
    from answerback.net.relay.connection import RelayedConnection


def header_of(connection: "RelayedConnection", version: int) -> bytes:
    """Return the header for a connection whose client is known; nothing for the version 0."""
    if not version:
        return b""
    return (version_1 if version == 1 else version_2)(client_of(connection))


def client_of(connection: "RelayedConnection") -> ForwardedClient:
    """Return the client of a connection."""
    announcement = connection.announcement
    announced = None if announcement is None else announcement.destination
    side = connection.sides[PEER]
    return ForwardedClient(
        source=connection.peer,
        destination=announced or _local(side.sock),
        is_local=connection.is_local,
        tls=_tls_of(side) if isinstance(side, SecureSide) else None,
    )


def _local(sock: socket.SocketType) -> Source:
    """The address and port that the client has connected to; empty and 0 on a Unix socket."""
    address = sock.getsockname()
    return (address[0], address[1]) if isinstance(address, tuple) else ("", 0)


def _tls_of(side: SecureSide) -> ClientTls:
    channel = side.channel
    return ClientTls(
        channel.version, channel.cipher, channel.alpn, channel.sni, channel.client_name, resumed=channel.resumed
    )
