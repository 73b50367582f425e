"""Connections of the HTTP server, bounded in number and in time."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

# Rule: whoever connects holds a place for CONNECTION_SECONDS at most, however slowly it speaks or reads.

CONNECTIONS: Final = 64  # a scraper, some probes and a few people; each costs some 100 kB at worst
CONNECTION_SECONDS: Final = 10.0  # for one request and its response: there are no second ones


class Bound:
    """How many there may be, and for how long."""

    def __init__(self, connections: int = CONNECTIONS, seconds: float = CONNECTION_SECONDS) -> None:
        self.connections = connections
        self.seconds = seconds
        self.open = 0


class BoundedProtocol(asyncio.Protocol):
    """Stands before the protocol that `make` makes, which is made only if there is a place for it."""

    def __init__(self, bound: Bound, make: Callable[[], asyncio.Protocol]) -> None:
        self._bound = bound
        self._make = make
        self._inner: asyncio.Protocol | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, or turn the connection away."""
        transport = cast("asyncio.Transport", transport)
        if self._bound.open >= self._bound.connections:
            transport.abort()
            return
        self._bound.open += 1
        self._end = asyncio.get_running_loop().call_later(self._bound.seconds, transport.abort)
        self._inner = self._make()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        if self._inner is None or self._end is None:
            return
        self._end.cancel()
        self._bound.open -= 1
        self._inner.connection_lost(exc)
