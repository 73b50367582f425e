"""The beginning of a relayed connection: wait for the client, connect to the upstream, then open both sides."""

from time import monotonic
from typing import TYPE_CHECKING

from answerback.core.relay import PEER, UPSTREAM
from answerback.core.upstream import Upstream
from answerback.net.relay.awaited_client import AwaitedClient
from answerback.net.relay.connector import NotConnected, connect
from answerback.net.relay.forwarding import header_of
from answerback.net.relay.secure_side import SecureSide

if TYPE_CHECKING:
    import asyncio

    from answerback.net.relay.connection import RelayedConnection

# Rule: an opening that has ended tells its connection one thing: that it is open, or why not.


class Opening:
    """A task that ends with the connection open, or over."""

    __slots__ = ("_task", "client")

    client: AwaitedClient | None
    """What is awaited of the client; None if it need not say anything."""

    def __init__(self, connection: "RelayedConnection", upstream: Upstream, client: AwaitedClient | None) -> None:
        self.client = client
        self._task: asyncio.Task[None] | None = connection.host.loop.create_task(self._open(connection, upstream))

    def cancel(self) -> None:
        """Give up, unless it has ended."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _open(self, connection: "RelayedConnection", upstream: Upstream) -> None:
        try:
            if self.client is not None:
                await self.client.wait()
            began = monotonic()
            try:
                sock, channel = await connect(
                    connection.host.loop,
                    connection.relaying,
                    upstream,
                    connection.host.active.plan.limits.write_timeout,
                    connection.counters,
                    header_of(connection, upstream.header_version),
                )
            except NotConnected as failure:
                self._task = None
                connection.counters.upstream_failed(failure.error)
                connection.not_connected(failure.error)
                return
            connection.counters.upstream_connected(monotonic() - began)
            side = connection.sides[UPSTREAM]
            if channel is not None:
                assert isinstance(side, SecureSide)
                side.secured(channel)
            side.take(sock)
            await connection.open_sides()
        except OSError as error:  # a descriptor that the event loop needs, for example
            self._task = None
            connection.lost(PEER, error)
        except Exception:
            self._task = None
            connection.failed()
        else:
            self._task = None
            connection.opened()
