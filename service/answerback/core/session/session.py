"""What a driver calls: the face of a conversation."""

from collections.abc import Sequence
from math import inf

from answerback.core.actions import Action, CloseReason
from answerback.core.plan import Event
from answerback.core.session.closing import NOTHING, OPEN, Closing
from answerback.core.session.events import begin, upstream_down
from answerback.core.session.incomplete import send_interim
from answerback.core.session.leaving import drain, end_hang, receive_eof
from answerback.core.session.playing import resume
from answerback.core.session.reader import READ_AHEAD
from answerback.core.session.requests import converse, flushed_while_closing, go_on
from answerback.core.session.state import SessionState
from answerback.core.session.ticking import set_clocks, tick, tick_comes_next, ticks
from answerback.core.session.timers import run_timers
from answerback.core.session_metrics import SessionMetrics

CONNECT = Event.CONNECT  # see `closing.SERVER_CLOSE`

# Rule: nothing here knows the time; callers pass it.
# Rule: the path of a cached reply is inline here; everything else belongs to a part.
# Rule: a part does not keep a reference to its session, but gets it with each call: so nothing refers to itself, and a
#       connection that is over is freed at once.


class Session(SessionState):
    """One connection's conversation, independent of the network.

    A driver calls the methods that the module lists, and reads what follows from its state. The rest is for the parts.
    """

    __slots__ = ()

    def begin_now(self, now: float) -> None:
        """The peer is known only now: instead of at accept, the clocks of silence and of rules on TICK start here."""
        limits = self.plan.limits
        self.active_at = now
        self.deadline = min(now + limits.idle_timeout, self.born + limits.lifetime)
        if self.plan.ticks:
            set_clocks(self, now)

    def uncount(self, metrics: SessionMetrics) -> None:
        """Record nothing, and count only in `metrics`: the peer is no client."""
        self.metrics = metrics
        self.recorder = None

    def connection_made(self, now: float) -> Sequence[Action]:
        """The connection has been accepted, or its TLS handshake is complete."""
        self.active_at = now
        actions: list[Action] = []
        begin(self, CONNECT, self.plan.on_connect, actions, now)
        return actions

    def reject(self, reason: CloseReason) -> Sequence[Action]:
        """Instead of `connection_made`: close in order without sending anything."""
        return self.close(reason)

    def receive_data(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes, at least one."""
        self.active_at = now
        closing = self.closing
        if closing is not None:
            if closing.phase != OPEN:
                return closing.discard(self, len(data))
            closing.draining |= closing.drains_next
        conversation = self.conversation
        reader = conversation.reader
        if not reader.buffer:
            cached = conversation.selector.reply_cache.entries.get(data)
            if (
                cached is not None
                and conversation.script is None
                and reader.framing is (plan := self.plan).framing
                and self.active.plan is plan
                and self.blocked_since == inf
            ):
                conversation.started = now
                conversation.answered = requests = cached.requests
                conversation.number += requests
                self.awaits_flush = True
                cell = cached.cell
                if cell >= 0:
                    self.metrics.requested(cell, requests)
                else:
                    self.metrics.unmatched(requests)
                recorder = self.recorder
                if recorder is not None:
                    recorder.repeated(cached, data, conversation.number - requests + 1, now, self)
                return cached.actions
            reader.buffer = data
            reader.searched = 0
        else:
            reader.append(data)
            if self.turn_began is None:
                return NOTHING
        script = conversation.script
        if (script is not None and script.receive is None) or self.blocked_since != inf:
            self.wants_read = len(reader.buffer) < READ_AHEAD
            return NOTHING
        self.turn_began = now
        return converse(self, now)

    def note_activity(self, now: float) -> None:
        """The peer did something, although no data has come: `idle_timeout` starts again."""
        self.active_at = now

    def receive_eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half."""
        return receive_eof(self, now)

    def note_fin(self, _now: float) -> Sequence[Action]:
        """The peer has closed its half; bytes it sent before are still to be read."""
        self.fin_noted = True
        return end_hang(self)

    def connection_lost(self, reason: CloseReason) -> CloseReason:
        """The connection is gone. Returns the reason to count: see `Closing.lost`."""
        return self.own_closing().lost(self, reason)

    def writing_paused(self, now: float) -> None:
        """The kernel took only part of the output; `writing_resumed` follows once it has taken the rest."""
        self.awaits_flush = True
        if self.blocked_since == inf:
            self.blocked_since = now
            self.deadline = min(self.deadline, now + self.plan.limits.write_timeout)

    def writing_progressed(self, now: float) -> None:
        """The peer is reading: `write_timeout` starts again."""
        if self.blocked_since != inf:
            self.blocked_since = now

    def writing_resumed(self, now: float) -> Sequence[Action]:
        """The kernel has taken all that was to be sent."""
        self.awaits_flush = False
        if self.blocked_since != inf:
            self.blocked_since = inf
            # While a reply is in progress, the peer's silence has no deadline.
            self.deadline = min(self.deadline, now + self.plan.limits.idle_timeout)
        conversation = self.conversation
        answered = conversation.answered
        if answered:
            self.metrics.answered(now - conversation.started, answered)
            recorder = self.recorder
            if recorder is not None:
                recorder.flushed(now)
            conversation.answered = 0
            self.active_at = now
        if self.closing is None:
            reader = conversation.reader
            if self.ticking is not None and tick_comes_next(self, now):
                return tick(self, now)
            framer = reader.framer
            if reader.buffer or framer is None or conversation.script is not None:
                return go_on(self, now)
            if framer.interim:
                hopeless = reader.why_hopeless(framer, self.plan.limits.max_request_bytes)
                return send_interim(self, framer) if hopeless is None else self.close(hopeless)
            return NOTHING
        return flushed_while_closing(self, self.closing, now)

    def take_turn(self, now: float) -> Sequence[Action]:
        """Continue the work that was left when the last turn was used up."""
        if self.turn_began is not None or self.blocked_since != inf:
            return NOTHING
        self.turn_began = now
        self.wants_read = not self.eof and len(self.conversation.reader.buffer) < READ_AHEAD
        if self.conversation.script_waits:
            return resume(self, now)
        return tick(self, now) if ticks(self, now) else converse(self, now)

    def drain(self, now: float) -> Sequence[Action]:
        """Finish the request in progress, an incomplete one too, then close in order."""
        return drain(self, now)

    def drain_after_first_request(self) -> None:
        """Nothing has come from the peer: answer what it sends next, then drain."""
        self.own_closing().drains_next = True

    def signal_granted(self) -> bool:
        """The signal that the script waits for was given: the deadline is now. False if it waits for none."""
        script = self.conversation.script
        if script is None or not script.signal:
            return False
        script.signal = ""
        script.resume_at = self.deadline = -inf
        return True

    def upstream_down(self, error: str, now: float) -> Sequence[Action] | None:
        """No connection to the upstream could be made. Returns None if no rule acts on that."""
        return upstream_down(self, error, now)

    def take_input(self) -> bytes:
        """Return what was received and not processed, because it is for the layer or the server that follows."""
        reader = self.conversation.reader
        data, reader.buffer, reader.searched = bytes(reader.buffer), b"", 0
        self.conversation.partial_since = inf
        self.wants_read = True
        return data

    def tls_begun(self, now: float) -> Sequence[Action]:
        """The handshake that a step has begun is complete: take the next step."""
        script = self.conversation.script
        if script is None:
            return NOTHING
        script.resume_at = -inf
        return self.handle_timer(now)

    def handle_timer(self, now: float) -> Sequence[Action]:
        """The deadline has passed."""
        if self.turn_began is not None:
            self.turn_began = now
        return run_timers(self, now)

    def converse(self, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Answer the requests in the buffer. `ended`: the rest of the buffer is a complete request."""
        return converse(self, now, ended=ended)

    def close(self, reason: CloseReason) -> Sequence[Action]:
        """Send FIN, then read and discard until the peer's."""
        closing = self.closing
        if closing is None:  # as in `own_closing`, without another call
            closing = self.closing = Closing()
        return closing.close(self, reason)

    def reset(self) -> Sequence[Action]:
        """Reset the connection once everything sent before is in the kernel."""
        return self.own_closing().reset(self)
