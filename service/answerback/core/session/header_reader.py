"""Reads the header of the PROXY protocol before a conversation begins: see `core.proxy_header`."""

from collections.abc import Sequence
from math import inf
from typing import Any, Final, Protocol

from answerback.core.actions import Abort, Action, Close, CloseReason
from answerback.core.proxy_header import (
    InvalidHeader,
    NoHeader,
    ProxyHeader,
    ProxyProtocol,
    begins_header,
    read_header,
)
from answerback.core.session.closing import NOTHING
from answerback.core.session.layer import LayerBase
from answerback.core.session.session import Session
from answerback.core.session.slow_reader import SlowReader
from answerback.core.session.tls_layer import TlsLayer

# Rule: it steps aside with the header's last byte: the connection calls the next layer itself from then on.

FAILED: Final[Sequence[Action]] = (Abort(CloseReason.PROXY_HEADER),)
LEFT: Final[Sequence[Action]] = (Close(CloseReason.PEER_EOF),)


class AwaitedConnection(Protocol):
    """A connection whose client is not known yet."""

    def step_to(self, layer: Any) -> None:
        """Call this layer from now on."""

    def announced(self, header: ProxyHeader | None, rest: bytes, now: float, *, fin: bool) -> Sequence[Action]:
        """The client is known; without a header it is the peer itself. Begin the conversation.

        `rest`: what the client has sent already; `fin`: whether it has closed its half behind it.
        """

    def drain_soon(self) -> None:
        """Drain as soon as the actions that are returned now have been performed."""


class HeaderReader(LayerBase):
    """Stands between a driver and the next layer until the client is known. A driver calls it as it would a session."""

    __slots__ = ("_buffer", "_connection", "_draining", "_next", "_settings", "_trusted", "deadline")

    _session: Session
    has_connect_rules = False
    """The conversation has not begun."""
    wants_read = True
    in_progress = False

    deadline: float
    """See `Session.deadline`: the header's."""

    def __init__(
        self,
        session: Session,
        next_layer: Session | SlowReader | TlsLayer,
        settings: ProxyProtocol,
        connection: AwaitedConnection,
        *,
        trusted: bool,
    ) -> None:
        """`next_layer` is what is above `session`, or that itself. `trusted`: whether the peer may send a header."""
        self._session = session
        self.born, self.conversation = session.born, session.conversation
        self._next = next_layer
        self._settings = settings
        self._trusted = trusted
        self._connection: AwaitedConnection | None = connection  # None once the client is known, or the connection over
        self._buffer = b""
        self._draining = False
        self.deadline = session.born + min(settings.timeout, session.plan.limits.lifetime)
        if settings.required and not trusted:  # whatever it sends
            self.deadline = session.born

    def __getattr__(self, name: str) -> Any:
        """Return what is the next layer's."""
        return getattr(self._next, name)

    def receive_data(self, data: bytes, now: float) -> Sequence[Action]:
        """The proxy, or a client without one, sent these bytes."""
        self._buffer += data
        if not self._trusted and (self._settings.required or begins_header(self._buffer)):
            return FAILED  # before its checksum, for example, costs anything
        try:
            header = read_header(self._buffer)
        except NoHeader:
            return FAILED if self._settings.required else self._begin(None, now)
        except InvalidHeader:
            return FAILED
        if header is None:
            return NOTHING
        return self._begin(header, now)

    def receive_eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half before a whole header."""
        if not self._settings.required and not begins_header(self._buffer):
            return self._begin(None, now, fin=True)
        if self._buffer:
            return FAILED
        self.connection_lost(CloseReason.PEER_EOF)  # a check of the port, for example: there is no client
        return LEFT

    def handle_timer(self, now: float) -> Sequence[Action]:
        """The deadline has passed: the header is late, or there is none."""
        if now < self.deadline:
            return NOTHING
        if self._settings.required or begins_header(self._buffer):
            return FAILED
        return self._begin(None, now)

    def drain(self, _now: float) -> Sequence[Action]:
        """Close in order; if a part of the header has arrived, answer the request behind it first."""
        if self._buffer:
            self._draining = True
            return NOTHING
        return self.reject(CloseReason.DRAIN)

    def reject(self, reason: CloseReason) -> Sequence[Action]:
        """Close in order without waiting for the header."""
        self._leave().step_to(self._next)
        return self._next.reject(reason)

    def connection_lost(self, reason: CloseReason) -> CloseReason:
        """The connection is gone. Returns the reason to count."""
        self._connection = None
        self.deadline = inf
        return self._session.connection_lost(reason)

    def _begin(self, header: ProxyHeader | None, now: float, *, fin: bool = False) -> Sequence[Action]:
        """The client is known, and the conversation begins."""
        rest = self._buffer if header is None else self._buffer[header.size :]
        self._buffer = b""
        connection = self._leave()
        connection.step_to(self._next)
        self._session.begin_now(now)
        actions = connection.announced(header, rest, now, fin=fin)
        if self._draining:
            connection.drain_soon()
        return actions

    def _leave(self) -> AwaitedConnection:
        """Return the connection, which does without this layer from now on."""
        connection, self._connection = self._connection, None
        assert connection is not None, "nothing is received behind the header, or when the connection is over"
        return connection
