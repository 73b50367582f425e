"""What is between the client's side and a relayed connection until the client is known."""

from math import inf
from typing import TYPE_CHECKING, Protocol

from answerback.core.actions import CloseReason
from answerback.core.proxy_header import (
    InvalidHeader,
    NoHeader,
    ProxyHeader,
    ProxyProtocol,
    begins_header,
    read_header,
)
from answerback.core.relay.relay import QUIET_SECONDS
from answerback.net.relay.layer import Layer
from answerback.net.relay.side import Side

if TYPE_CHECKING:
    from answerback.net.relay.connection import RelayedConnection


class ClientKnown(Protocol):
    """See `AwaitedClient.client_known`."""

    def __call__(self, header: ProxyHeader | None, rest: bytes, now: float, *, fin: bool = False) -> None:
        """The client is known."""


class ClientLayer(Protocol):
    """What a relayed connection waits for before it connects to its upstream."""

    waits_for: str
    """As `ConnectionService` names it."""

    @property
    def deadline(self) -> float:
        """When to call `late`; infinite once it is over."""

    def late(self, now: float) -> None:
        """The deadline has come."""

    def drain(self) -> None:
        """A drain has begun: give up soon."""

    def close_in_order(self) -> None:
        """Close the client's side in order now."""


class HeaderGate(Layer):
    """Reads the header of the PROXY protocol, then steps aside. Its side takes it for the connection."""

    __slots__ = ("_buffer", "_connection", "_draining", "_known", "_next", "_settings", "_side", "_trusted", "deadline")

    waits_for = "proxy_header"

    def __init__(
        self,
        connection: "RelayedConnection",
        side: Side,
        settings: ProxyProtocol,
        known: ClientKnown,
        *,
        trusted: bool,
    ) -> None:
        """`side` is the client's. `trusted`: whether the peer may send a header."""
        self._connection = connection
        self._known = known
        self._side = side
        self._next, side.connection = side.connection, self
        self._settings = settings
        self._trusted = trusted
        self._buffer = b""
        self._draining = False
        self.deadline = connection.born + settings.timeout
        if settings.required and not trusted:  # whatever it sends
            self.deadline = connection.born

    # ── What its side sees: see `SideOwner` ───────────────────────────────────────────────────────────────────────

    def wants_read(self, side: int) -> bool:  # noqa: ARG002 - it has one
        """Whether to read."""
        return not self.over

    def received(self, side: int, data: bytes | memoryview, now: float) -> None:
        """The proxy, or a client without one, sent these bytes."""
        connection = self._connection
        connection.count_received(side, len(data))
        self._buffer += data
        if not self._trusted and (self._settings.required or begins_header(self._buffer)):
            self._fail()  # before its checksum, for example, costs anything
            return
        try:
            header = read_header(self._buffer)
        except NoHeader:
            if self._settings.required:
                self._fail()
            else:
                self._step_aside()
                self._known(None, self._buffer, now)
        except InvalidHeader:
            self._fail()
        else:
            if header is not None:
                self._step_aside()
                self._known(header, self._buffer[header.size :], now)

    def received_eof(self, side: int, now: float) -> None:  # noqa: ARG002 - it has one
        """The client has closed its half before a whole header."""
        if not self._settings.required and not begins_header(self._buffer):
            self._step_aside()
            self._known(None, self._buffer, now, fin=True)
        elif self._buffer:
            self._fail()
        else:  # a check of the port, for example: there is no client
            self._step_aside()
            self._connection.close_client(CloseReason.PEER_EOF, eof=True)

    def sent(self, side: int, size: int) -> None:
        """Nothing is sent before the header."""

    def writing_paused(self, side: Side) -> None:
        """Nothing is sent before the header."""

    def writing_resumed(self, side: Side) -> None:
        """Nothing is sent before the header."""

    def lost(self, side: int, error: OSError) -> None:
        """The client has reset the connection."""
        self._connection.lost(side, error)

    # ── What the connection sees: see `ClientLayer` ───────────────────────────────────────────────────────────────

    def late(self, now: float) -> None:
        """The header is late, or there is none."""
        if self._draining and not self._buffer:
            self.close_in_order()
        elif self._settings.required or begins_header(self._buffer):
            self._fail()
        else:
            self._step_aside()
            self._known(None, self._buffer, now)

    def drain(self) -> None:
        """Close soon, unless a part of the header has arrived."""
        if not self._buffer:
            self._draining = True
            self.deadline = min(self.deadline, self._connection.born + QUIET_SECONDS)

    def close_in_order(self) -> None:
        """Close without the rest of the header."""
        self._step_aside()
        self._connection.close_client(CloseReason.DRAIN)

    def _fail(self) -> None:
        self.deadline = inf
        self._connection.abort(CloseReason.PROXY_HEADER)

    def _step_aside(self) -> None:
        self.deadline = inf
        self._side.connection = self._next
