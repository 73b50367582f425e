"""A client of Redis that notices what a proxy does to its connection."""

import socket
from time import monotonic
from types import TracebackType
from typing import Self

TIMEOUT_S = 20


class Pinger:
    """One connection to Redis."""

    def __init__(self, listen: str) -> None:
        host, _, port = listen.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), TIMEOUT_S)

    def ping(self) -> tuple[bytes, float]:
        """The reply to a PING, empty at the end of the connection, and the seconds that it took."""
        began = monotonic()
        try:
            self._socket.sendall(b"PING\r\n")
            return self._socket.recv(100), monotonic() - began
        except ConnectionError:
            return b"", monotonic() - began

    def skip(self, reply: bytes) -> None:
        """Read the rest of a reply, up to its end."""
        got = b""
        while not got.endswith(reply[-1:]):
            got += self._socket.recv(100)

    def seconds_to_end(self) -> float:
        """Close this half; the seconds until the other one ends."""
        began = monotonic()
        self._socket.shutdown(socket.SHUT_WR)
        assert self.hears_end()
        return monotonic() - began

    def hears_end(self) -> bool:
        """Whether the connection ends before a byte comes; one of the two is waited for."""
        try:
            return self._socket.recv(100) == b""
        except ConnectionError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def ping(listen: str) -> tuple[bytes, float]:
    """As `Pinger.ping` on a connection of its own."""
    try:
        with Pinger(listen) as client:
            return client.ping()
    except ConnectionError:
        return b"", 0.0
