"""Waits for the client of a relayed connection: for its PROXY header, then for its TLS handshake."""

import asyncio
from math import inf
from typing import TYPE_CHECKING, Optional

from answerback.core.plan import ListenerPlan
from answerback.core.proxy_header import ProxyHeader
from answerback.core.relay import PEER
from answerback.net.relay.client_layer import ClientLayer, HeaderGate
from answerback.net.relay.secure_side import SecureSide

if TYPE_CHECKING:
    from answerback.net.relay.connection import RelayedConnection


class AwaitedClient:
    """What a connection waits for before it connects to its upstream."""

    __slots__ = ("_connection", "_eof", "_known", "_layer", "_opened", "_rest")

    @classmethod
    def of(cls, connection: "RelayedConnection") -> Optional["AwaitedClient"]:
        """Begin to wait; None if the client is known, and nothing is to be encrypted."""
        plan = connection.host.active.plan
        if plan.proxy_protocol is None and not isinstance(connection.sides[PEER], SecureSide):
            return None
        return cls(connection, plan)

    def __init__(self, connection: "RelayedConnection", plan: ListenerPlan) -> None:
        self._connection = connection
        self._known = asyncio.Event()
        self._opened = False  # whether the client's side can be read and closed
        self._rest = b""  # what the client has sent behind a header, without TLS
        self._eof = False  # whether it has sent FIN behind that
        side = connection.sides[PEER]
        self._layer: ClientLayer
        if plan.proxy_protocol is not None:
            raw = side.raw if isinstance(side, SecureSide) else side
            trusted = plan.proxy_protocol.trusts(connection.peer[0])
            self._layer = HeaderGate(connection, raw, plan.proxy_protocol, self.client_known, trusted=trusted)
        else:
            assert isinstance(side, SecureSide)
            self._layer = side
            side.expect_handshake(connection.born, self._complete)

    async def wait(self) -> None:
        """Return when the client is known, and its connection encrypted if it has to be. Raises OSError."""
        await self._connection.sides[PEER].open()
        self._opened = True
        self._connection.follow()  # the header is awaited
        await self._known.wait()

    @property
    def waits_for(self) -> str:
        """As `ConnectionService` names it."""
        return "upstream" if self._known.is_set() else self._layer.waits_for

    @property
    def deadline(self) -> float:
        """When to call `handle_timer`."""
        return self._layer.deadline if self._opened else inf

    def handle_timer(self, now: float) -> None:
        """The deadline has come, or is near."""
        if now >= self.deadline:
            self._layer.late(now)

    def drain(self) -> None:
        """Do not wait long any more."""
        if not self._known.is_set():
            self._layer.drain()

    def close_in_order(self) -> bool:
        """Close the client's side in order now, if it is not known yet; whether that is so."""
        if not self._opened or self._known.is_set():
            return False
        self._layer.close_in_order()
        return True

    def client_known(self, header: ProxyHeader | None, rest: bytes, now: float, *, fin: bool = False) -> None:
        """The header has come, or there is none. `rest`: what the client sent behind it; `fin`: and then FIN."""
        connection = self._connection
        announcing = connection.host.announcing
        assert announcing is not None, "its listener has `proxy_protocol`"
        if not announcing.learn(connection, header):
            announcing.reset(connection)
            return
        side = connection.sides[PEER]
        if not isinstance(side, SecureSide):
            self._rest, self._eof = rest, fin
            self._complete()
            return
        self._layer = side
        side.expect_handshake(now, self._complete)
        if rest:
            side.take_records(rest, now)
        if fin and not connection.finished:
            side.received_eof(PEER, now)
        connection.follow()

    def _complete(self) -> None:
        """The client is known, and its connection is encrypted if it has to be."""
        self._known.set()
        self._connection.attend()  # it is not read again before the upstream is connected

    def deliver(self, now: float) -> None:
        """The connection is relayed: pass on what the client has sent already."""
        connection = self._connection
        if self._rest:
            connection.take_data(PEER, self._rest, now)
        if self._eof and not connection.finished:
            connection.take_eof(PEER, now)
