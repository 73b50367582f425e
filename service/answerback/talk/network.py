"""What a player of talks needs from a network, and the real one."""

import socket
import time
from typing import Final, Protocol

READ_BYTES: Final = 1 << 16

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class Endpoint(Protocol):
    """The client's end of a connection."""

    def send(self, data: bytes, timeout: float) -> None:
        """Send all of these bytes. Raises OSError."""

    def send_eof(self) -> None:
        """Close the sending half. Raises OSError."""

    def start_tls(self, timeout: float) -> "Endpoint":
        """Shake hands, and return the end of the connection inside. Raises OSError."""

    def read(self, timeout: float) -> bytes:
        """Read once: bytes, or none at the end. Raises TimeoutError, ConnectionResetError, OSError."""

    def close(self) -> None:
        """Close the connection."""


class Network(Protocol):
    """Connects to one server."""

    def now(self) -> float:
        """Return the time in seconds, from any beginning."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def connect(self, timeout: float) -> Endpoint:
        """Open a connection. Raises OSError."""


class SocketEndpoint:
    """A connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def send(self, data: bytes, timeout: float) -> None:
        """See Endpoint."""
        self._sock.settimeout(timeout)
        self._sock.sendall(data)

    def send_eof(self) -> None:
        """See Endpoint."""
        self._sock.shutdown(socket.SHUT_WR)

    def start_tls(self, timeout: float) -> Endpoint:  # noqa: ARG002 - it fails at once
        """See Endpoint: this one knows no authorities to trust."""
        raise OSError("TLS cannot begin: the client has no authorities to trust")

    def read(self, timeout: float) -> bytes:
        """See Endpoint."""
        self._sock.settimeout(timeout)
        return self._sock.recv(READ_BYTES)

    def close(self) -> None:
        """See Endpoint."""
        self._sock.close()


class SocketNetwork:
    """Connects to an address by TCP or a Unix socket."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def now(self) -> float:
        """See Network."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See Network."""
        time.sleep(seconds)  # noqa: TID251 - the talk says so

    def connect(self, timeout: float) -> Endpoint:
        """See Network."""
        return SocketEndpoint(connected(self._address, timeout))


def connected(address: Address, timeout: float) -> socket.socket:
    """Return a socket that is connected to the address. Raises OSError."""
    if not isinstance(address, str):
        return socket.create_connection(address, timeout)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock
