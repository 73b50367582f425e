"""The drain of one listener's connections: the oldest first, and each with time for its first request."""

import asyncio
from time import monotonic

from answerback.core.session.leaving import FIRST_REQUEST_SECONDS
from answerback.net.served import Served
from answerback.net.stagger import Staggered


class Drain:
    """Tells connections to finish their requests, and then to close in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connections: set[Served]) -> None:
        """`connections`: the open ones, which change meanwhile."""
        self._loop = loop
        self._connections = connections
        self._schedule = Staggered(loop, (), self._drain_one, 0.0)
        self._cancelled = 0  # how often it was cancelled for connections that wait for their first request as well

    def begin(self, spread_seconds: float) -> None:
        """Let all connections finish within `spread_seconds`."""
        self.stop()
        self._schedule = Staggered(self._loop, sorted(self._connections, key=age), self._drain_one, spread_seconds)

    def stop(self) -> None:
        """Tell no further connection, but for those whose first request is awaited."""
        self._schedule.cancel()

    def cancel(self) -> None:
        """Tell no connection that has not been told yet; one whose first request is awaited still closes after that."""
        self._cancelled += 1
        self.stop()

    def _drain_one(self, connection: Served) -> None:
        left = connection.born + FIRST_REQUEST_SECONDS - monotonic()
        if left > 0 and not connection.received_any:
            connection.drain_after_first_request()
            self._loop.call_later(left, self._drain_late, connection, self._cancelled)
        else:
            self._drain_now(connection)

    def _drain_late(self, connection: Served, cancelled: int) -> None:
        if cancelled == self._cancelled:
            self._drain_now(connection)

    def _drain_now(self, connection: Served) -> None:
        if connection in self._connections:
            connection.drain()


def age(connection: Served) -> float:
    """Sort key of connections: the oldest first."""
    return connection.born
