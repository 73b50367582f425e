"""A side that speaks TLS: records on its socket, plain text for the relayed connection.

It is between a side of an engine, which takes it for the connection, and the connection, which takes it for a side.
"""

import socket
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

from answerback.compat import override
from answerback.core.actions import CloseReason
from answerback.core.relay.relay import QUIET_SECONDS
from answerback.core.session.tls_handshake import FIRST_BYTES
from answerback.core.tls import UNSTARTED, Channel, Handshakes, ListenerTls, TlsError
from answerback.net.relay.layer import Layer
from answerback.net.relay.side import Side

if TYPE_CHECKING:
    from answerback.net.relay.connection import RelayedConnection

# Rule: the connection gets plain text alone; counters of bytes count what is on the wire.

OWED_BYTES: Final = 64 << 10  # of TLS's own answers that wait for a peer that does not read; then it is not read either

SHAKING, SECURE, ENDED = range(3)
"""The handshake; records carry plain text; nothing is encrypted or decrypted any more."""


def do_nothing() -> None:
    """No handshake is expected yet."""


class SecureSide(Layer, Side):
    """TLS on one side. The client's begins with a handshake; the upstream's is complete when it gets its channel."""

    __slots__ = (
        "_connection",
        "_draining",
        "_early",
        "_ended",
        "_finished",
        "_finishing",
        "_first",
        "_owed",
        "_phase",
        "_raw",
        "_shaken",
        "_tls",
        "channel",
        "deadline",
    )

    waits_for = "handshake"
    channel: Channel
    """The state of TLS."""
    deadline: float
    """See `ClientLayer`."""

    def __init__(
        self, connection: "RelayedConnection", side: int, kind: type[Side], tls: ListenerTls | None = None
    ) -> None:
        """`kind` is the engine's. `tls`: that of the listener, for a handshake with the client."""
        super().__init__(connection, side)
        self._connection = connection
        self._raw = kind(self, side)
        self._tls = tls
        self._shaken: Callable[[], None] = do_nothing
        self.channel = UNSTARTED
        self._phase = SECURE if tls is None else SHAKING
        self._first = 0  # how many of the first bytes were right
        self._early = False  # whether records have come before the connection could take them
        self._ended = False  # whether the connection knows that the peer has ended
        self._finishing = False  # whether FIN waits until the kernel has taken what is before it
        self._owed = 0  # bytes of TLS's own answers that the kernel had no room for
        self._finished = False  # whether our FIN is sent, or about to be
        self._draining = False
        self.deadline = inf

    @property
    def raw(self) -> Side:
        """The engine's side."""
        return self._raw

    def expect_handshake(self, now: float, complete: Callable[[], None]) -> None:
        """The client is to begin TLS. Calls `complete` when the handshake is."""
        assert self._tls is not None
        self._shaken = complete
        self.channel = self._tls.channel()
        self.deadline = now + self._tls.handshake_timeout

    def secured(self, channel: Channel) -> None:
        """The handshake with the upstream is complete."""
        self.channel = channel
        self._early = channel.pending

    # ── What its raw side sees: see `SideOwner` ───────────────────────────────────────────────────────────────────

    def wants_read(self, side: int) -> bool:
        """Whether to read records."""
        if self._phase == SHAKING:
            return not self.over
        return self._owed <= OWED_BYTES and self._connection.relay.wants_read(side)

    def received(self, side: int, data: bytes | memoryview, now: float) -> None:
        """The peer has sent bytes: a part of a handshake, or records."""
        self._connection.count_received(side, len(data))
        self.take_records(data, now)

    def take_records(self, data: bytes | memoryview, now: float) -> None:
        """The same, of bytes that are counted already."""
        if self._phase == SECURE:
            self.channel.feed(data)
            self._deliver(now)
        elif self._phase == SHAKING:
            self._shake(data)
        else:
            self._connection.take_data(self.side, data, now)

    def received_eof(self, side: int, now: float) -> None:
        """The peer has sent FIN, with or without close_notify."""
        if self._phase == SHAKING:
            if self._first:
                self._fail(CloseReason.TLS_HANDSHAKE, "the client closed the connection", eof=True)
            else:  # a check of the port, for example
                self._end()
                self._connection.close_client(CloseReason.PEER_EOF, eof=True)
        elif not self._ended:
            self._ended = True
            self._connection.take_eof(side, now, cut=self._phase == SECURE)

    def sent(self, side: int, size: int) -> None:
        """The kernel has taken bytes."""
        self._connection.sent(side, size)

    def writing_paused(self, side: Side) -> None:  # noqa: ARG002 - it has one
        """The kernel has not taken everything."""
        self._connection.writing_paused(self)

    def writing_resumed(self, side: Side) -> None:  # noqa: ARG002 - it has one
        """The kernel has taken everything."""
        self._owed = 0
        if self._finishing:
            self._finishing = False
            self._raw.finish()
        if not self.over:
            self._connection.writing_resumed(self)

    def lost(self, side: int, error: OSError) -> None:
        """The peer has reset the connection, or cannot be reached any more."""
        if self._phase == SHAKING and self._first:
            self._connection.counters.handshake(Handshakes.FAILED)
        self._end()
        self._connection.lost(side, error)

    # ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, now: float) -> None:
        """Pass on what is in the records that have arrived."""
        try:
            plain = self.channel.read()
        except TlsError as error:
            self._break(str(error))
            return
        self._answer()
        if plain and not self.over:
            self._connection.take_data(self.side, plain, now)
        if self.channel.peer_closed and not self._ended and not self.over:
            self._ended = True
            self._connection.take_eof(self.side, now)

    def _answer(self) -> None:
        """Send what TLS itself has to send."""
        out = self.channel.pull()
        if out and not self._finished:
            if self._raw.unsent:
                self._owed += len(out)
            self._raw.send(out)
            if self._owed > OWED_BYTES:
                self._raw.attend()  # it is not read any more

    def _break(self, why: str) -> None:
        """A record is not valid, or is a fatal alert: neither end may take the stream for complete."""
        self._answer()
        self._connection.broken(self.side, why)

    def _end(self) -> None:
        self._phase = ENDED
        self.deadline = inf

    # ── The client's handshake: see `ClientLayer` ─────────────────────────────────────────────────────────────────

    def _shake(self, data: bytes | memoryview) -> None:
        """Go on with the handshake."""
        expected = FIRST_BYTES[self._first : self._first + len(data)]
        if data[: len(expected)] != expected:
            self._fail(CloseReason.NOT_TLS, "the client does not speak TLS")
            return
        self._first += len(expected)
        self.channel.feed(data)
        try:
            outcome = self.channel.handshake()
        except TlsError as error:
            self._fail(CloseReason.TLS_HANDSHAKE, str(error))
            return
        self._answer()
        if outcome is None or self.over:
            return
        self._connection.counters.handshake(outcome)
        self._phase, self.deadline = SECURE, inf
        self._early = self.channel.pending
        self._shaken()

    def _fail(self, reason: CloseReason, why: str, *, eof: bool = False) -> None:
        """The handshake has failed: send the alert, if there is one, and close in order."""
        assert self._tls is not None
        self._connection.counters.handshake(Handshakes.FAILED)
        self._tls.failed(why)
        self._end()
        self._answer()
        self._connection.close_client(reason, eof=eof)

    def late(self, now: float) -> None:  # noqa: ARG002 - the deadline has come
        """The client has not completed its handshake in time."""
        if self._draining:
            self.close_in_order()
        else:
            self._fail(CloseReason.TLS_HANDSHAKE, "it took longer than handshake_timeout")

    def close_in_order(self) -> None:
        """Close without the rest of the handshake."""
        self._fail(CloseReason.DRAIN, "a drain began")

    def drain(self) -> None:
        """Let a client that has just connected complete its handshake."""
        self._draining = True
        self.deadline = min(self.deadline, self._connection.born + QUIET_SECONDS)

    # ── What the connection does with it: see `Side` ──────────────────────────────────────────────────────────────

    @property
    @override
    def unsent(self) -> int:
        return self._raw.unsent

    @override
    def run_turn(self) -> None:
        """Pass on what came before the connection could take it."""
        try:
            if self._early and self._connection.relay.wants_read(self.side):
                self._early = False
                self._deliver(monotonic())
        except Exception:
            self._connection.failed()

    @override
    def take(self, sock: socket.SocketType) -> None:
        self.sock = sock
        self._raw.take(sock)

    @override
    async def open(self) -> None:
        await self._raw.open()

    @override
    def attend(self) -> None:
        if self._early and self._connection.relay.wants_read(self.side):
            self.host.run_queue.add(self)
        self._raw.attend()

    @override
    def send(self, data: bytes | memoryview) -> None:
        try:
            self.channel.write(data)
        except TlsError as error:
            self._break(str(error))
            return
        self._raw.send(self.channel.pull())

    @override
    def finish(self, *, cut: bool = False) -> None:
        if self._phase == SHAKING:
            self._end()
        if self._phase == SECURE and not cut:
            self.channel.close()
            self._early = self._early or self.channel.pending
        self._finished = True
        out = self.channel.pull()
        if out:
            self._raw.send(out)
        if self.over:
            return
        if self._raw.unsent:
            self._finishing = True
        else:
            self._raw.finish()

    @override
    def close(self, *, reset: bool) -> None:
        self.host.run_queue.forget(self._raw)
        self._raw.close(reset=reset)
