"""What a driver calls: the face of a conversation, and the state that its parts share."""

from collections.abc import Sequence
from math import inf

from answerback.core.actions import Action, CloseReason
from answerback.core.context import RequestContext, SessionConnection
from answerback.core.plan import ActivePlan, Event, ListenerPlan
from answerback.core.recorder import Recorder
from answerback.core.session.closing import CLOSING, HALF_CLOSED, LINGERING, NOTHING, OPEN, OVER, Closing
from answerback.core.session.conversation import Conversation
from answerback.core.session.events import begin, upstream_down
from answerback.core.session.forwarding import Forwarding
from answerback.core.session.incomplete import send_interim
from answerback.core.session.leaving import drain, end_hang, receive_eof
from answerback.core.session.observer import Observer
from answerback.core.session.playing import resume
from answerback.core.session.reader import READ_AHEAD
from answerback.core.session.requests import converse, flushed_while_closing, go_on
from answerback.core.session.script import TURN_SECONDS, ScriptRun
from answerback.core.session.ticking import Ticking, set_clocks, tick, tick_comes_next, ticks
from answerback.core.session.timers import run_timers
from answerback.core.session_metrics import SessionMetrics
from answerback.core.tls import TlsNames

# Rule: nothing here knows the time; callers pass it.
# Rule: the path of a cached reply is inline here; everything else belongs to a part.
# Rule: a part does not keep a reference to its session, but gets it with each call: so nothing refers to itself, and a
#       connection that is over is freed at once.


class Session:
    """One connection's conversation, independent of the network.

    A driver calls the methods that the module lists, and reads what follows. The rest is for the parts.
    """

    __slots__ = (
        "active",
        "active_at",
        "awaits_flush",
        "blocked_since",
        "born",
        "closing",
        "connection",
        "conversation",
        "deadline",
        "fin_noted",
        "forwarding",
        "metrics",
        "observer",
        "plan",
        "recorder",
        "ticking",
        "turn_began",
        "wants_read",
    )

    active_at: float
    """When bytes last came from the peer, or a reply ended."""
    awaits_flush: bool
    """Whether to call `writing_resumed` once the kernel has taken everything."""
    blocked_since: float
    """Since when the kernel has taken only a part of the output; `inf` if it has taken everything."""
    closing: Closing | None
    """None before the first sign of the end."""
    deadline: float
    """When to call `handle_timer`."""
    fin_noted: bool
    """Whether the peer has sent FIN; bytes before it may still be unread."""
    forwarding: Forwarding | None
    """What requests need that an upstream answers; None if the rules answer all."""
    recorder: Recorder | None
    """Records requests and replies; None while the journal is off."""
    ticking: Ticking | None
    """None if the plan has no rules on TICK."""
    turn_began: float | None
    """None: the last turn was used up, and the next is awaited."""
    wants_read: bool

    def __init__(
        self,
        active: ActivePlan,
        metrics: SessionMetrics,
        now: float,
        connection: SessionConnection | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.active = active
        self.plan: ListenerPlan = active.plan
        self.metrics = metrics
        self.connection = connection
        self.observer = observer
        plan = self.plan
        self.conversation = Conversation(plan)
        self.closing = None
        self.turn_began = 0.0
        self.fin_noted = False
        self.blocked_since = inf
        self.recorder = None
        self.forwarding = None
        self.wants_read = True
        self.awaits_flush = False
        self.born = now
        self.active_at = now
        self.deadline = now + min(plan.limits.idle_timeout, plan.limits.lifetime)
        self.ticking = None
        if plan.ticks:
            set_clocks(self, now)

    # ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def number(self) -> int:
        """The number of requests so far."""
        return self.conversation.number

    @property
    def phase(self) -> int:
        """How far the conversation has come to its end. See `closing`."""
        return OPEN if self.closing is None else self.closing.phase

    @property
    def over(self) -> bool:
        """Whether the last action has been given, or the connection lost."""
        return self.closing is not None and self.closing.phase == OVER

    @property
    def half_closed(self) -> bool:
        """Whether our FIN was sent, and the peer may go on."""
        return self.closing is not None and self.closing.phase == HALF_CLOSED

    @property
    def awaits_fin(self) -> bool:
        """Whether only the peer's FIN is awaited."""
        return self.closing is not None and CLOSING <= self.closing.phase <= LINGERING

    @property
    def eof(self) -> bool:
        """Whether the peer's FIN was read, and so everything before it."""
        return self.closing is not None and self.closing.eof

    @property
    def wants_turn(self) -> bool:
        """Whether work is left that only waits for a turn; then nothing is read."""
        return self.turn_began is None

    @property
    def has_connect_rules(self) -> bool:
        """Whether `connection_made` has anything to do."""
        return bool(self.plan.on_connect.in_order)

    @property
    def tls(self) -> TlsNames | None:
        """What the client said in a TLS handshake, which a layer before this one knows."""
        return None

    @property
    def handshaking(self) -> bool:
        """Whether a handshake is not complete, which a layer before this one makes."""
        return False

    @property
    def in_progress(self) -> bool:
        """Whether something will happen without further input, other than a timeout."""
        return self.conversation.in_progress

    @property
    def owes(self) -> bool:
        """Whether the upstream owes a reply."""
        return self.forwarding is not None and self.forwarding.owes

    @property
    def busy(self) -> bool:
        """Whether a reply is in progress: it waits for its next step, the kernel or a turn, not for the peer."""
        script = self.conversation.script
        script_waits = script is not None and script.receive is None
        return script_waits or self.blocked_since != inf or self.turn_began is None

    @property
    def context(self) -> RequestContext:
        """The context of the request that is being answered."""
        conversation = self.conversation
        context = conversation.context
        if context is None:
            context = conversation.context = RequestContext(self.plan.name, self.connection, self.metrics)
        return context

    def split_again(self, data: bytes) -> Sequence[bytes]:
        """Return the requests in a read whose reply is cached."""
        return self.plan.framing.split(data, 0)[0]

    # ── What a driver calls ───────────────────────────────────────────────────────────────────────────────────────

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
        """The connection has been accepted."""
        actions: list[Action] = []
        begin(self, Event.CONNECT, self.plan.on_connect, actions, now)
        return actions

    def reject(self, reason: CloseReason) -> Sequence[Action]:
        """Instead of `connection_made`: close in order without sending anything."""
        return self.close(reason)

    def receive_data(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes, at least one."""
        self.active_at = now
        if self.closing is not None and self.closing.phase != OPEN:
            return self.closing.discard(self, len(data))
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

    # ── Turns, plans and scripts, for the parts ───────────────────────────────────────────────────────────────────

    def out_of_time(self) -> bool:
        """Whether this turn has used up its time."""
        began, connection = self.turn_began, self.connection
        return began is None or (connection is not None and connection.clock() - began >= TURN_SECONDS)

    def give_way(self) -> None:
        """Schedule the rest of the work for the next turn."""
        self.turn_began = None
        self.wants_read = False

    def suspend(self, script: ScriptRun) -> None:
        """Keep what is left of a script until it can go on."""
        self.conversation.script = script
        self.deadline = min(self.deadline, script.resume_at)

    def converse(self, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Answer the requests in the buffer. `ended`: the rest of the buffer is a complete request."""
        return converse(self, now, ended=ended)

    # ── The end, for the parts ────────────────────────────────────────────────────────────────────────────────────

    def own_closing(self) -> Closing:
        """Return `closing`, made if there is none."""
        if self.closing is None:
            self.closing = Closing()
        return self.closing

    def close(self, reason: CloseReason) -> Sequence[Action]:
        """Send FIN, then read and discard until the peer's."""
        return self.own_closing().close(self, reason)

    def reset(self) -> Sequence[Action]:
        """Reset the connection once everything sent before is in the kernel."""
        return self.own_closing().reset(self)

    def release(self) -> None:
        """Drop the script, the input and the references to the connection, which refers to this object."""
        self.connection = None
        self.turn_began = 0.0
        self.conversation.release()
