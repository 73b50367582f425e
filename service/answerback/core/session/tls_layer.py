"""TLS between a driver and a session: records come from the peer, the session gets plain text, and the reverse."""

from collections.abc import Sequence
from math import inf
from typing import Final, cast

from answerback.core.actions import Action, BeginTls, CloseReason, Send
from answerback.core.faults import Fault
from answerback.core.session.closing import NOTHING
from answerback.core.session.handshake_faults import HandshakeFaults, end_handshake
from answerback.core.session.layer import Layer
from answerback.core.session.leaving import FIRST_REQUEST_SECONDS
from answerback.core.session.script import TURN_SECONDS
from answerback.core.session.session import Session
from answerback.core.session.slow_reader import SlowReader
from answerback.core.session.tls_output import AHEAD, TlsOutput
from answerback.core.tls import Channel, Handshakes, ListenerTls, TlsError, TlsNames, Unstarted

# Rule: the session learns nothing of a connection before its handshake is complete, except that it ends.
# Rule: what follows in the session (data after a handshake, the peer's end, a drain) waits until its output is flushed,
#       as a driver waits.

FIRST_BYTES: Final = b"\x16\x03"  # of a handshake record: its type, and the major version (RFC 8446, 5.1)

CLEAR, SHAKING, SECURE, ENDED = range(4)
"""Nothing is encrypted yet; the handshake; records carry plain text; the connection ends without further records."""

UNSTARTED: Final = cast(Channel, Unstarted())  # as far as it is used before there is a handshake


class TlsLayer(Layer):
    """Stands between a driver and a session. A driver calls it as it would call the session."""

    __slots__ = (
        "_began",
        "_channel",
        "_cut",
        "_drain_at",
        "_ended",
        "_faults",
        "_first",
        "_gave_way",
        "_output",
        "_phase",
        "_served",
        "_tls",
        "_turn_began",
        "_wire_eof",
    )

    def __init__(self, session: Session | SlowReader, tls: ListenerTls) -> None:
        self._session = session
        self._tls = tls
        self._channel: Channel = tls.channel() if tls.at_once else UNSTARTED
        self._phase = SHAKING if tls.at_once else CLEAR
        self._began = 0.0  # when a step has begun the handshake; 0 if it came first
        self._first = 0  # how many of the first bytes were right
        self._output: TlsOutput | None = None  # None before output first had to wait, or to end
        self._faults: HandshakeFaults | None = None  # None before the first that may end this handshake
        self._gave_way = False  # whether the rest of `_output` waits for the connection's turn
        self._turn_began = 0.0  # 0 while the kernel has no room
        self._served = False  # whether the session has got any data
        self._drain_at = inf  # when a drain that waits for the first request begins
        self._ended = False  # whether the peer's end is still to be told to the session
        self._cut = False  # whether that was FIN without close_notify
        self._wire_eof = False

    # ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def tls(self) -> TlsNames:
        """What the client said in its handshake."""
        return self._channel

    @property
    def handshaking(self) -> bool:
        """Whether the handshake is not complete."""
        return self._phase == SHAKING

    @property
    def has_connect_rules(self) -> bool:
        """See `Session.has_connect_rules`: they act after a handshake that comes first."""
        return self._phase == CLEAR and self._session.has_connect_rules

    @property
    def over(self) -> bool:
        """See `Session.over`; the last action may still be in the queue."""
        return self._session.over and not (self._output is not None and self._output.queue)

    @property
    def wants_read(self) -> bool:
        """See `Session.wants_read`."""
        return not self._wire_eof and not self._gave_way and self._session.wants_read

    @property
    def wants_turn(self) -> bool:
        """See `Session.wants_turn`."""
        return self._gave_way or self._session.wants_turn

    @property
    def fin_noted(self) -> bool:
        """See `Session.fin_noted`."""
        return self._wire_eof or self._session.fin_noted

    @property
    def awaits_flush(self) -> bool:
        """See `Session.awaits_flush`."""
        if self._output is not None and self._output.queue:
            return not self._gave_way
        return self._session.awaits_flush

    @property
    def _until(self) -> float:
        """When the handshake has to be complete. The session may begin only now, behind a PROXY header."""
        born, timeout = self._session.born, self._tls.handshake_timeout
        return min((self._began or born) + timeout, born + self._session.plan.limits.lifetime)

    @property
    def deadline(self) -> float:
        """See `Session.deadline`."""
        return min(self._drain_at, self._until if self._phase == SHAKING else self._session.deadline)

    # ── What a driver calls ───────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, now: float) -> Sequence[Action]:
        """See `Session.connection_made`."""
        return self._go_on(self._session.connection_made(now), now)

    def reject(self, reason: CloseReason) -> Sequence[Action]:
        """See `Session.reject`."""
        self._phase = ENDED
        return self._session.reject(reason)

    def receive_data(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes: a part of a handshake, or records."""
        self._turn_began = now
        if self._phase == SECURE:
            self._channel.feed(data)
            return self._go_on(self._deliver(now), now)
        if self._phase == SHAKING:
            return self._shake(data, now)
        return self._go_on(self._session.receive_data(data, now), now)

    def receive_eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half, with or without close_notify."""
        self._wire_eof = True
        if self._phase == SHAKING:
            self._session.own_closing().eof = True
            if self._first:
                return self._fail(CloseReason.TLS_HANDSHAKE, "the client closed the connection", now)
            self._phase = ENDED
            return self._session.close(CloseReason.PEER_EOF)
        if self._phase in {CLEAR, ENDED}:
            return self._go_on(self._session.receive_eof(now), now)
        if not self._channel.peer_closed and not self._cut:
            self._ended = self._cut = True
        return self._go_on(self._session.note_fin(now), now)

    def note_fin(self, now: float) -> Sequence[Action]:
        """See `Session.note_fin`."""
        return self._go_on(self._session.note_fin(now), now)

    def connection_lost(self, reason: CloseReason) -> CloseReason:
        """See `Session.connection_lost`."""
        if self._phase == SHAKING and self._first:
            self._session.metrics.handshake(Handshakes.FAILED)
        self._phase, self._output = ENDED, None
        return self._session.connection_lost(reason)

    def writing_paused(self, now: float) -> None:
        """See `Session.writing_paused`. What a handshake sends has its own time limit."""
        self._turn_began = 0.0
        if self._phase != SHAKING:
            self._session.writing_paused(now)

    def writing_resumed(self, now: float) -> Sequence[Action]:
        """The kernel has taken all that was encrypted: encrypt on, or tell the session."""
        output = self._output
        if output is None or not output.queue:
            return self._go_on(self._session.writing_resumed(now), now)
        self._session.writing_progressed(now)
        if not self._turn_began:
            self._turn_began = now
        elif now - self._turn_began >= TURN_SECONDS:
            self._gave_way = True
            return NOTHING
        return self._encrypt(output, now)

    def take_turn(self, now: float) -> Sequence[Action]:
        """See `Session.take_turn`."""
        self._turn_began = now
        if self._gave_way:
            self._gave_way = False
            if self._output is not None:
                return self._encrypt(self._output, now)
        return self._go_on(self._session.take_turn(now), now)

    def handle_timer(self, now: float) -> Sequence[Action]:
        """The deadline has passed: of the handshake, of a drain that waits, or the session's."""
        self._turn_began = now
        if now >= self._drain_at:
            return self.drain(now)
        if self._phase != SHAKING:
            return self._go_on(self._session.handle_timer(now), now)
        if now < self._until:
            return NOTHING
        if now >= self._session.born + self._session.plan.limits.lifetime:
            return self._fail(CloseReason.MAX_LIFETIME, "the connection reached its lifetime", now)
        return self._fail(CloseReason.TLS_HANDSHAKE, "it took longer than handshake_timeout", now)

    def drain(self, now: float) -> Sequence[Action]:
        """See `Session.drain`. A client that has just connected may send its first request before."""
        begins = (self._began or self._session.born) + FIRST_REQUEST_SECONDS
        waits = self._phase == SHAKING if self._began else self._phase in {SHAKING, SECURE} and not self._served
        if waits and now < begins:
            self._drain_at = begins
            return NOTHING
        self._drain_at = inf
        if self._phase == SHAKING:
            return self._fail(CloseReason.DRAIN, "a drain began", now)
        return self._go_on(self._session.drain(now), now)

    # ── The handshake ─────────────────────────────────────────────────────────────────────────────────────────────

    def _shake(self, data: bytes, now: float) -> Sequence[Action]:
        """Go on with the handshake."""
        expected = FIRST_BYTES[self._first : self._first + len(data)]
        if not data.startswith(expected):
            return self._fail(CloseReason.NOT_TLS, "the client does not speak TLS", now)
        self._first += len(expected)
        self._channel.feed(data)
        try:
            outcome = self._channel.handshake()
        except TlsError as error:
            return self._fail(CloseReason.TLS_HANDSHAKE, str(error), now)
        if faults := self._session.active.plan.handshake_faults:
            return self._shaken_with(faults, outcome, now)
        return self._shaken(outcome, now)

    def _shaken_with(self, faults: Sequence[Fault], outcome: Handshakes | None, now: float) -> Sequence[Action]:
        """Let a fault end the handshake, or go on."""
        if self._faults is None:
            self._faults = HandshakeFaults(faults)
        out = self._channel.pull()
        broken = self._faults.decide(out, self._session.context, complete=outcome is not None)
        if broken is None:
            actions = self._shaken(outcome, now)
            return (Send(out), *actions) if out else actions
        sent, end = broken
        self._session.metrics.handshake(outcome if outcome is not None else Handshakes.FAILED)
        self._phase = ENDED
        return end_handshake(self._session, end.ending, sent, self._until)

    def _shaken(self, outcome: Handshakes | None, now: float) -> Sequence[Action]:
        """Send what the handshake says; begin the conversation once it is complete."""
        if outcome is None:
            return self._encode(NOTHING, now)
        session = self._session
        session.metrics.handshake(outcome)
        self._phase = SECURE
        session.note_activity(now)
        if self._began:
            self._served = True
            return self._go_on(session.tls_begun(now), now)
        return self._go_on(session.connection_made(now) if session.has_connect_rules else NOTHING, now)

    def _fail(self, reason: CloseReason, why: str, now: float) -> Sequence[Action]:
        """The handshake has failed: send the alert, if there is one, and close in order."""
        self._session.metrics.handshake(Handshakes.FAILED)
        self._tls.failed(why)
        self._phase = ENDED
        return self._encode(self._session.close(reason), now)

    def _begin(self, actions: Sequence[Action], now: float) -> Sequence[Action]:
        """Begin the handshake behind these actions, with what has been received already."""
        if self._session.over or self._session.awaits_fin:
            return self._encode(actions, now)
        if self._phase != CLEAR:  # it is encrypted, and cannot be so twice
            return self._encode([*actions, *self._session.close(CloseReason.REPLY_FAILED)], now)
        self._phase, self._began, self._channel = SHAKING, now, self._tls.channel()
        received = self._session.take_input()
        return [*actions, *(self._shake(received, now) if received else NOTHING)]

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
        channel = self._channel
        if actions and BeginTls in map(type, actions):
            return self._begin([action for action in actions if type(action) is not BeginTls], now)
        if self._phase != SECURE:
            out = channel.pull()
            return (Send(out), *actions) if out else actions
        output = self._output
        waits = output is not None and bool(output.queue)
        if len(actions) == 1 and not waits:  # the common case: a reply
            only = actions[0]
            if type(only) is Send and len(only.data) <= AHEAD and not self._session.awaits_fin:
                channel.write(only.data)
                return (Send(channel.pull()),)
        if output is None:
            if not actions and not self._session.awaits_fin:
                out = channel.pull()
                return (Send(out),) if out else NOTHING
            output = self._output = TlsOutput()
        abort = output.take(actions, self._session, cut=self._cut)
        if abort is not None:
            return (abort,)
        return NOTHING if waits else self._encrypt(output, now)

    def _encrypt(self, output: TlsOutput, now: float) -> Sequence[Action]:
        """Encrypt the next part of the output."""
        actions = output.encrypt(self._channel)
        if output.queue:
            self._session.writing_paused(now)
        return actions
