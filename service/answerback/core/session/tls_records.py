"""TLS's records of a connection: what the peer's contain goes to the session, and its output goes into new ones."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import inf
from typing import Final

from answerback.core.actions import Action, BeginTls, Close, CloseReason, Send
from answerback.core.session.closing import NOTHING
from answerback.core.session.layer import Layer
from answerback.core.session.tls_output import AHEAD, TlsOutput
from answerback.core.tls import Channel, TlsError

# Rule: what follows in the session (data after a handshake, the peer's end, a drain) waits until its output is flushed,
#       as a driver waits.

CLEAR, SHAKING, SECURE, ENDED = range(4)
"""Nothing is encrypted yet; the handshake; records carry plain text; the connection ends without further records."""

SEVERAL: Final = 2  # actions


class TlsRecords(Layer, ABC):
    """The part of `TlsLayer`, which sets the fields, that is used for as long as the connection is open."""

    __slots__ = ("_channel", "_cut", "_drain_at", "_ended", "_output", "_phase", "_served")

    _channel: Channel
    _cut: bool
    """Whether the peer's end was FIN without close_notify."""
    _drain_at: float
    """When a drain that waits for the first request begins."""
    _ended: bool
    """Whether the peer's end is still to be told to the session."""
    _output: TlsOutput | None
    """None before output first had to wait, or to end."""
    _phase: int
    _served: bool
    """Whether the session has got any data."""

    @abstractmethod
    def _begin(self, actions: Sequence[Action], now: float) -> Sequence[Action]:
        """Begin the handshake behind these actions."""

    # ── From the peer ─────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, now: float) -> Sequence[Action]:
        """Pass on what is in the records that have arrived."""
        session = self._session
        try:
            plain = self._channel.read()
        except TlsError:
            self._phase, self._output = ENDED, None
            return session.close(CloseReason.TLS_ERROR)
        if self._channel.peer_closed and not self._notice_given:
            self._ended = True
        if not plain:
            return NOTHING
        self._served = True
        return session.receive_data(plain, now)

    @property
    def _notice_given(self) -> bool:
        """Whether the session knows, or will know, that the peer has ended."""
        return self._ended or self._session.eof

    def _go_on(self, actions: Sequence[Action], now: float) -> Sequence[Action]:
        """Let the session go on with what waits, if it has nothing to send; encrypt its output."""
        session = self._session
        while not actions and self._phase == SECURE and not session.awaits_flush:
            if session.wants_read and self._channel.pending:
                actions = self._deliver(now)
            elif session.wants_read and self._ended:
                self._ended = False
                actions = session.receive_eof(now)
            elif self._served and self._drain_at < inf:
                self._drain_at = inf
                actions = session.drain(now)
            else:
                break
        if self._ended and not session.fin_noted:
            actions = [*actions, *session.note_fin(now)]
        return self._encode(actions, now)

    # ── To the peer ───────────────────────────────────────────────────────────────────────────────────────────────

    def _encode(self, actions: Sequence[Action], now: float) -> Sequence[Action]:
        """Return what a driver has to do: one piece of output, then how it ends."""
        output, session = self._output, self._session
        waits = output is not None and bool(output.queue)
        if self._phase == SECURE and not waits and len(actions) < SEVERAL:  # the common cases
            only = actions[0] if actions else None
            if output is not None and output.ended:
                if only is None or type(only) is Close:
                    return actions
            elif not session.awaits_fin and (only is None or (type(only) is Send and len(only.data) <= AHEAD)):
                if type(only) is Send:
                    self._channel.write(only.data)
                return self._pull()
        if BeginTls in map(type, actions):
            return self._begin([action for action in actions if type(action) is not BeginTls], now)
        if self._phase != SECURE:
            out = self._channel.pull()
            return (Send(out), *actions) if out else actions
        if output is None:
            output = self._output = TlsOutput()
            if (said := output.last_reply(actions, session, self._channel)) is not None:
                return said
        return self._queue(actions, output, now)

    def _queue(self, actions: Sequence[Action], output: TlsOutput, now: float) -> Sequence[Action]:
        """Queue the session's output, and encrypt it unless other output waits."""
        waits = bool(output.queue)
        abort = output.take(actions, self._session, cut=self._cut)
        if abort is not None:
            return (abort,)
        return NOTHING if waits else self._encrypt(output, now)

    def _pull(self) -> Sequence[Action]:
        """Send the records that are ready."""
        out = self._channel.pull()
        return (Send(out),) if out else NOTHING

    def _encrypt(self, output: TlsOutput, now: float) -> Sequence[Action]:
        """Encrypt the next part of the output."""
        actions = output.encrypt(self._channel)
        if output.queue:
            self._session.writing_paused(now)
        return actions
