"""TLS between a driver and a session: records come from the peer, the session gets plain text, and the reverse."""

from collections.abc import Sequence
from math import inf
from typing import Final

from answerback.compat import override
from answerback.core.actions import Action, CloseReason, Send
from answerback.core.faults import Fault
from answerback.core.session.closing import LINGER_SECONDS, NOTHING
from answerback.core.session.handshake_faults import end_handshake
from answerback.core.session.leaving import FIRST_REQUEST_SECONDS
from answerback.core.session.script import TURN_SECONDS
from answerback.core.session.session import Session
from answerback.core.session.slow_reader import SlowReader
from answerback.core.session.tls_handshake import Handshake, NotTls
from answerback.core.session.tls_records import CLEAR, ENDED, SECURE, SHAKING, TlsRecords
from answerback.core.tls import UNSTARTED, Handshakes, ListenerTls, TlsError, TlsNames

WAKES: Final = 16  # of drivers in a second, for handshakes: those that begin together share one

# Rule: the session learns nothing of a connection before its handshake is complete, except that it ends.
# Rule: here is what a driver calls, and how a handshake goes on and fails; `tls_handshake` has what is known until
#       it is complete, `tls_records` what follows, and `tls_output` what waits to be encrypted.


class TlsLayer(TlsRecords):
    """Stands between a driver and a session. A driver calls it as it would call the session."""

    __slots__ = ("_gave_way", "_handshake", "_tls", "_turn_began", "_wire_eof")

    def __init__(self, session: Session | SlowReader, tls: ListenerTls) -> None:
        self._session = session
        self.born, self.conversation = session.born, session.conversation
        self._tls = tls
        self._phase = CLEAR
        self._channel = UNSTARTED
        self._output = None
        self._served = self._ended = self._cut = False
        self._drain_at = inf
        self._handshake: Handshake | None = None  # while the phase is SHAKING
        self._gave_way = False  # whether the rest of the output waits for the connection's turn
        self._turn_began = 0.0  # 0 while the kernel has no room
        self._wire_eof = False
        if tls.at_once:
            self._expect_handshake(self.born, by_step=False)

    # ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def tls(self) -> TlsNames:
        """What the client said in its handshake."""
        return self._channel

    @property
    def handshaking(self) -> bool:
        """Whether the handshake is not complete."""
        return self._handshake is not None

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
    def deadline(self) -> float:
        """See `Session.deadline`."""
        own = self._session.deadline if self._handshake is None else self._handshake.wake_at
        return own if self._drain_at == inf else min(self._drain_at, own)

    # ── What a driver calls ───────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, now: float) -> Sequence[Action]:
        """See `Session.connection_made`."""
        return self._go_on(self._session.connection_made(now), now)

    def reject(self, reason: CloseReason) -> Sequence[Action]:
        """See `Session.reject`."""
        self._end()
        return self._session.reject(reason)

    def receive_data(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes: a part of a handshake, or records."""
        self._turn_began = now
        if self._phase == SECURE:
            self._channel.feed(data)
            return self._go_on(self._deliver(now), now)
        if self._handshake is not None:
            return self._shake(self._handshake, data, now)
        return self._go_on(self._session.receive_data(data, now), now)

    def receive_eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half, with or without close_notify."""
        self._wire_eof = True
        if self._handshake is not None:
            self._session.own_closing().eof = True
            if self._handshake.heard:
                return self._fail(CloseReason.TLS_HANDSHAKE, "the client closed the connection", now)
            self._end()
            return self._session.close(CloseReason.PEER_EOF)
        if self._phase in {CLEAR, ENDED}:
            return self._go_on(self._session.receive_eof(now), now)
        if self._output is not None and self._output.ended and not self._output.queue and not self._channel.pending:
            return self._session.receive_eof(now)  # the common case: nothing is unread, or to be sent
        if not self._channel.peer_closed and not self._cut:
            self._ended = self._cut = True
        return self._go_on(self._session.note_fin(now), now)

    def note_fin(self, now: float) -> Sequence[Action]:
        """See `Session.note_fin`."""
        return self._go_on(self._session.note_fin(now), now)

    def connection_lost(self, reason: CloseReason) -> CloseReason:
        """See `Session.connection_lost`."""
        if self._handshake is not None and self._handshake.heard:
            self._session.metrics.handshake(Handshakes.FAILED)
        self._end()
        self._output = None
        return self._session.connection_lost(reason)

    def writing_paused(self, now: float) -> None:
        """See `Session.writing_paused`. What a handshake sends has its own time limit."""
        self._turn_began = 0.0
        if self._handshake is None:
            self._session.writing_paused(now)

    def writing_resumed(self, now: float) -> Sequence[Action]:
        """The kernel has taken all that was encrypted: encrypt on, or tell the session."""
        output = self._output
        if output is None or not output.queue:
            actions = self._session.writing_resumed(now)
            if output is not None and output.ended and not self._ended and not self._channel.pending:
                return actions  # the common case: all is said, and nothing is unread
            return self._go_on(actions, now)
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
        if self._handshake is None:
            return self._go_on(self._session.handle_timer(now), now)
        if now < self._handshake.until:
            self._handshake.wake_at = self._handshake.until
            return NOTHING
        if now >= self.born + self._session.plan.limits.lifetime:
            return self._fail(CloseReason.MAX_LIFETIME, "the connection reached its lifetime", now)
        return self._fail(CloseReason.TLS_HANDSHAKE, "it took longer than handshake_timeout", now)

    def drain(self, now: float) -> Sequence[Action]:
        """See `Session.drain`. A client that has just connected may send its first request before."""
        handshake = self._handshake
        waits = handshake is not None or (self._phase == SECURE and not self._served)
        begins = (self.born if handshake is None else handshake.began) + FIRST_REQUEST_SECONDS
        if waits and now < begins:
            self._drain_at = begins
            return NOTHING
        self._drain_at = inf
        if handshake is not None:
            return self._fail(CloseReason.DRAIN, "a drain began", now)
        return self._go_on(self._session.drain(now), now)

    # ── The handshake ─────────────────────────────────────────────────────────────────────────────────────────────

    def _expect_handshake(self, began: float, *, by_step: bool) -> None:
        """The client begins TLS now. The session may begin only now too, behind a PROXY header."""
        until, lifetime = began + self._tls.handshake_timeout, self._session.plan.limits.lifetime
        if lifetime < inf:
            until = min(until, self.born + lifetime)
        self._phase, self._channel = SHAKING, self._tls.channel()
        # Before an orderly close that begins from now on may end: a connection that is over by then, as most are, sets
        # one deadline, and not one for its handshake and one for its close.
        wake_at = int((began + LINGER_SECONDS) * WAKES) / WAKES
        self._handshake = Handshake(began, until, min(until, wake_at), by_step)

    def _end(self) -> None:
        """The connection ends without further records."""
        self._phase, self._handshake = ENDED, None

    def _shake(self, handshake: Handshake, data: bytes, now: float) -> Sequence[Action]:
        """Go on with the handshake."""
        try:
            if not handshake.begun:
                handshake.check(data)
            outcome = self._channel.handshake(data)
        except NotTls as error:
            return self._fail(CloseReason.NOT_TLS, str(error), now)
        except TlsError as error:
            return self._fail(CloseReason.TLS_HANDSHAKE, str(error), now)
        if faults := self._session.active.plan.handshake_faults:
            return self._shake_with(faults, handshake, outcome, now)
        if outcome is not None:
            return self._shaken(handshake, outcome, now)
        out = self._channel.pull()
        return (Send(out),) if out else NOTHING

    def _shake_with(
        self, faults: Sequence[Fault], handshake: Handshake, outcome: Handshakes | None, now: float
    ) -> Sequence[Action]:
        """Let a fault end the handshake, or go on."""
        session, out = self._session, self._channel.pull()
        broken = handshake.broken(faults, out, session.context, complete=outcome is not None)
        if broken is None:
            actions = NOTHING if outcome is None else self._shaken(handshake, outcome, now)
            return (Send(out), *actions) if out else actions
        sent, end = broken
        session.metrics.handshake(outcome if outcome is not None else Handshakes.FAILED)
        self._end()
        return end_handshake(session, end.ending, sent, handshake.until)

    def _shaken(self, handshake: Handshake, outcome: Handshakes, now: float) -> Sequence[Action]:
        """The handshake is complete: begin the conversation, or go on with it."""
        session = self._session
        session.metrics.handshake(outcome)
        self._phase, self._handshake = SECURE, None
        if handshake.by_step:
            self._served = True
            session.note_activity(now)
            return self._go_on(session.tls_begun(now), now)
        if actions := session.connection_made(now):
            return self._encode(actions, now)  # as `_go_on` does: the peer cannot have ended yet
        return self._go_on(NOTHING, now)

    def _fail(self, reason: CloseReason, why: str, now: float) -> Sequence[Action]:
        """The handshake has failed: send the alert, if there is one, and close in order."""
        self._session.metrics.handshake(Handshakes.FAILED)
        self._tls.failed(why)
        self._end()
        return self._encode(self._session.close(reason), now)

    @override
    def _begin(self, actions: Sequence[Action], now: float) -> Sequence[Action]:
        """Begin the handshake behind these actions, with what has been received already."""
        if self._session.over or self._session.awaits_fin:
            return self._encode(actions, now)
        if self._phase != CLEAR:  # it is encrypted, and cannot be so twice
            return self._encode([*actions, *self._session.close(CloseReason.REPLY_FAILED)], now)
        self._expect_handshake(now, by_step=True)
        received = self._session.take_input()
        assert self._handshake is not None
        return [*actions, *(self._shake(self._handshake, received, now) if received else NOTHING)]
