"""The conversation on one connection.

A driver reports events to the session, with the time (seconds of any steady clock), and performs the returned actions
in order:

    connection_made      the connection was accepted; comes first
    reject               instead of `connection_made`: close in order at once
    receive_data         input from the peer
    receive_eof          the peer's FIN; no input comes after it
    note_fin             the peer has sent FIN, but bytes before it have not been read; `receive_eof` follows
    writing_paused       the kernel took only part of the output
    writing_progressed   the peer has read enough output for its timeout to start again
    writing_resumed      the kernel has taken all of the output
    take_turn            it is this connection's turn again, after it used up one: see `wants_turn`
    handle_timer         `deadline` has passed
    drain                finish what is in progress, then close in order
    connection_lost      the connection is gone; no more actions follow

After performing actions with nothing left unsent, the driver calls `writing_resumed` if `awaits_flush`; it reads only
while `wants_read`; and it calls `handle_timer` at `deadline`, which is never later than the first thing due (it may be
earlier: then `handle_timer` only moves it). A session that has used up its time (`script.TURN_SECONDS`) stops, and
keeps the rest of its work; the driver lets other connections have their turns, then calls `take_turn`.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import inf
from types import GeneratorType
from typing import Final

from answerback.core.actions import Abort, Action, CloseReason, HalfClose, Reset, Send
from answerback.core.context import RequestContext, SessionConnection
from answerback.core.expectation import Unexpected
from answerback.core.expressions import EvaluationError, SearchTooLong
from answerback.core.faults import apply_all, apply_to_close
from answerback.core.framing import MAX_BATCH, Framing, Malformed
from answerback.core.plan import ActivePlan, Event, ListenerPlan, Rule
from answerback.core.recorder import Recorder
from answerback.core.selection import Rules, Selector
from answerback.core.session.closing import CLOSING, FIN, HALF_CLOSED, LINGERING, NOTHING, OVER, Closing
from answerback.core.session.observer import Observer
from answerback.core.session.reader import READ_AHEAD, RequestReader
from answerback.core.session.script import (
    FREE_STEPS,
    OUTPUT_AHEAD,
    TURN_SECONDS,
    Interrupted,
    ScriptRun,
    resolve,
    search,
)
from answerback.core.session.ticking import Ticking
from answerback.core.session_metrics import SessionMetrics
from answerback.core.steps import (
    AddShared,
    DeleteShared,
    DeleteVariable,
    EndSession,
    EnterState,
    Hang,
    PutShared,
    Receive,
    SetFraming,
    SetVariable,
    Step,
    StepResult,
    Wait,
    failed,
)

# Rule: nothing here knows the time; callers pass it.
# Rule: code that runs for every request is inline here; rare cases have methods of their own.

SEARCHING: Final = Rule("", -1, (lambda _context: None,))  # stands for a rule whose search is still in progress


class Session:
    """One connection's conversation, independent of the network."""

    __slots__ = (
        "_active",
        "_answered",
        "_blocked_since",
        "_closing",
        "_connection",
        "_context",
        "_draining",
        "_eof",
        "_last_rules_applied",
        "_metrics",
        "_observer",
        "_partial_since",
        "_plan",
        "_reader",
        "_script",
        "_selector",
        "_started",
        "_ticking",
        "_turn_began",
        "active_at",
        "awaits_flush",
        "born",
        "deadline",
        "fin_noted",
        "number",
        "recorder",
        "wants_read",
    )

    active_at: float
    """When bytes last came from the peer, or a reply ended."""
    awaits_flush: bool
    """Whether to call `writing_resumed` once the kernel has taken everything."""
    deadline: float
    """When to call `handle_timer`."""
    fin_noted: bool
    """Whether the peer has sent FIN; bytes before it may still be unread."""
    number: int
    """The number of requests so far."""
    recorder: Recorder | None
    """Records requests and replies; None while the journal is off."""
    wants_read: bool

    def __init__(
        self,
        active: ActivePlan,
        metrics: SessionMetrics,
        now: float,
        connection: SessionConnection | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._active = active
        self._plan: ListenerPlan = active.plan
        self._metrics = metrics
        self._connection = connection
        self._observer = observer
        plan = self._plan
        self._reader = RequestReader(plan.framing)
        self._selector: Selector = plan.on_request.selector_for("")
        self._context: RequestContext | None = None
        self._script: ScriptRun | None = None  # the suspended script
        self._closing: Closing | None = None
        self._turn_began: float | None = 0.0  # None: the last one was used, and the next is awaited
        self._eof = False  # whether the peer's FIN was read, and so everything before it
        self.fin_noted = False
        self._draining = False
        self._last_rules_applied = False  # those on EOF or DRAIN
        self._started = now  # when the request in progress, and those in `_answered`, were received
        self._answered = 0  # requests finished, their replies not yet known to be in the kernel
        self._partial_since = inf
        self._blocked_since = inf
        self.number = 0
        self.recorder = None
        self.wants_read = True
        self.awaits_flush = False
        self.born = now
        self.active_at = now
        self.deadline = now + min(plan.limits.idle_timeout, plan.limits.lifetime)
        self._ticking: Ticking | None = None
        if plan.ticks:
            self._set_clocks(plan, now)

    # ── State ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def over(self) -> bool:
        """Whether the last action has been given, or the connection lost."""
        return self._closing is not None and self._closing.phase == OVER

    @property
    def half_closed(self) -> bool:
        """Whether our FIN was sent, and the peer may go on."""
        return self._closing is not None and self._closing.phase == HALF_CLOSED

    @property
    def closing(self) -> bool:
        """Whether only the peer's FIN is awaited."""
        return self._closing is not None and self._closing.phase in {CLOSING, LINGERING}

    @property
    def wants_turn(self) -> bool:
        """Whether work is left that only waits for a turn; then nothing is read."""
        return self._turn_began is None

    @property
    def waits_for(self) -> str:
        """What has to happen next, as `ConnectionService` names it."""
        script = self._script
        if self._blocked_since != inf:
            return "client_reads"
        if self.wants_turn:
            return "turn"
        if self.closing:
            return "fin"
        if script is None:
            return "request"
        return "hang" if script.hang is not None else "timer" if script.receive is None else "frame"

    @property
    def has_connect_rules(self) -> bool:
        """Whether `connection_made` has anything to do."""
        return bool(self._plan.on_connect.in_order)

    @property
    def state(self) -> str:
        """The connection's state, as rules name it."""
        return "" if self._context is None else self._context.state

    @property
    def buffer(self) -> bytes:
        """The bytes received since the last finished request."""
        return bytes(self._reader.buffer)

    @property
    def framing(self) -> Framing | None:
        """The framing of what is read next; None is one request of no bytes."""
        script = self._script
        return self._reader.framing if script is None or script.receive is None else script.receive.framing

    @property
    def framer(self) -> Framing | None:
        """What `framing` made for this connection."""
        script = self._script
        return self._reader.framer if script is None or script.receive is None else script.framer

    @property
    def receiving(self) -> bool:
        """Whether a script waits for a frame."""
        return self._script is not None and self._script.receive is not None

    @property
    def in_progress(self) -> bool:
        """Whether something will happen without further input, other than a timeout."""
        framer = self._reader.framer
        silence = framer is not None and framer.idle_gap != inf and self._reader.buffer
        return bool(silence) or (self._script is not None and self._script.receive is None)

    @property
    def context(self) -> RequestContext:
        """The context of the request that is being answered."""
        context = self._context
        if context is None:
            context = self._context = RequestContext(self._plan.name, self._connection, self._metrics)
        return context

    def split_again(self, data: bytes) -> Sequence[bytes]:
        """Return the requests in a read whose reply is cached."""
        return self._plan.framing.split(data, 0)[0]

    def connection_key(self) -> tuple[int, str, int]:
        """Return the connection's number in this process, and the peer's address and port."""
        assert self._connection is not None, "the connection is gone"
        return self._connection.connection_number, *self._connection.peer

    # ── What a driver calls ───────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, now: float) -> Sequence[Action]:
        """The connection has been accepted."""
        actions: list[Action] = []
        self._begin(Event.CONNECT, self._plan.on_connect, actions, now)
        return actions

    def reject(self, reason: CloseReason) -> Sequence[Action]:
        """Instead of `connection_made`: close in order without sending anything."""
        return self._close(reason)

    def receive_data(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes, at least one."""
        self.active_at = now
        if self._closing is not None:
            return self._discard(self._closing, len(data))
        reader = self._reader
        if not reader.buffer:
            cached = self._selector.reply_cache.entries.get(data)
            if (
                cached is not None
                and self._script is None
                and reader.framing is (plan := self._plan).framing
                and self._active.plan is plan
                and self._blocked_since == inf
            ):
                self._started = now
                self._answered = requests = cached.requests
                self.number += requests
                self.awaits_flush = True
                cell = cached.cell
                if cell >= 0:
                    self._metrics.requested(cell, requests)
                else:
                    self._metrics.unmatched(requests)
                recorder = self.recorder
                if recorder is not None:
                    recorder.repeated(cached, data, self.number - requests + 1, now, self)
                return cached.actions
            reader.buffer = data
            reader.searched = 0
        else:
            reader.append(data)
            if self._turn_began is None:
                return NOTHING
        script = self._script
        if (script is not None and script.receive is None) or self._blocked_since != inf:
            self.wants_read = len(reader.buffer) < READ_AHEAD
            return NOTHING
        self._turn_began = now
        return self._converse(now)

    def receive_eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half."""
        self._eof = self.fin_noted = True
        self.wants_read = False
        if self._closing is not None and self._closing.phase != HALF_CLOSED:
            return self._finish()
        if self._busy:
            return self._close(CloseReason.PEER_GAVE_UP) if self._fin_ends_hang else NOTHING
        if self._reader.buffer or self._script is not None or self._active.plan is not self._plan:
            self._turn_began = now
            return self._converse(now)
        return self._leave(now)  # the common case: nothing is unsent or incomplete

    def note_fin(self, _now: float) -> Sequence[Action]:
        """The peer has closed its half; bytes it sent before are still to be read."""
        self.fin_noted = True
        return self._close(CloseReason.PEER_GAVE_UP) if self._fin_ends_hang else NOTHING

    def connection_lost(self, reason: CloseReason) -> CloseReason:
        """The connection is gone. Returns the reason to count: an earlier one if only the peer's FIN was awaited.

        A peer that resets the connection while it has to wait counts as having given up.
        """
        if reason == CloseReason.PEER_RESET and self._script is not None and self._script.hang is not None:
            reason = CloseReason.PEER_GAVE_UP
        closing = self._end(reason)
        if closing.phase == LINGERING:
            reason = closing.reason
        closing.finish()
        return reason

    def writing_paused(self, now: float) -> None:
        """The kernel took only part of the output; `writing_resumed` follows once it has taken the rest."""
        self.awaits_flush = True
        if self._blocked_since == inf:
            self._blocked_since = now
            self.deadline = min(self.deadline, now + self._plan.limits.write_timeout)

    def writing_progressed(self, now: float) -> None:
        """The peer is reading: `write_timeout` starts again."""
        if self._blocked_since != inf:
            self._blocked_since = now

    def writing_resumed(self, now: float) -> Sequence[Action]:
        """The kernel has taken all that was to be sent."""
        self.awaits_flush = False
        if self._blocked_since != inf:
            self._blocked_since = inf
            # While a reply is in progress, the peer's silence has no deadline.
            self.deadline = min(self.deadline, now + self._plan.limits.idle_timeout)
        if self._answered:
            self._metrics.answered(now - self._started, self._answered)
            if self.recorder is not None:
                self.recorder.flushed(now)
            self._answered = 0
            self.active_at = now
        closing = self._closing
        if closing is None or closing.phase == HALF_CLOSED:
            if self._ticking is not None and self._tick_comes_next(now):
                return self._tick(now)
            reader = self._reader
            if reader.buffer or self._eof or self._draining or reader.framer is None or self._script is not None:
                return self._go_on(now)
            if reader.framer.interim and closing is None:
                hopeless = reader.why_hopeless(reader.framer, self._plan.limits.max_request_bytes)
                return self._send_interim(reader.framer) if hopeless is None else self._close(hopeless)
        elif closing.phase == CLOSING:
            closing.linger(now)
            self.deadline = min(self.deadline, closing.deadline)
        return NOTHING

    def take_turn(self, now: float) -> Sequence[Action]:
        """Continue the work that was left when the last turn was used up."""
        if self._turn_began is not None or self._blocked_since != inf:
            return NOTHING
        self._turn_began = now
        self.wants_read = not self._eof and len(self._reader.buffer) < READ_AHEAD
        if self._script is not None and self._script.receive is None:
            return self._resume(now)
        return self._tick(now) if self._ticks(now) else self._converse(now)

    def drain(self, now: float) -> Sequence[Action]:
        """Finish the request in progress, an incomplete one too, then close in order."""
        self._draining = True
        if self._script is not None and self._script.hang is not None:
            return self._close(CloseReason.DRAIN)
        if (self._closing is not None and self._closing.phase != HALF_CLOSED) or self._busy:
            return NOTHING
        self._turn_began = now
        return self._converse(now)

    def handle_timer(self, now: float) -> Sequence[Action]:
        """The deadline has passed."""
        actions = NOTHING
        if self._turn_began is not None:
            self._turn_began = now
        for due, act in self._timers(now):
            if now >= due:
                actions = act()
                break
        self.deadline = min(due for due, _ in self._timers(now))
        return actions

    # ── Timers ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _timers(self, now: float) -> Iterator[tuple[float, Callable[[], Sequence[Action]]]]:
        """Yield what is due when, if nothing happens until then; the earliest is carried out."""
        limits, closing, script = self._plan.limits, self._closing, self._script
        yield self._blocked_since + limits.write_timeout, self._abort
        if closing is not None and closing.phase != HALF_CLOSED:
            yield closing.deadline, self._finish
            return
        yield self.born + limits.lifetime, lambda: self._close(CloseReason.MAX_LIFETIME)
        if script is not None:
            yield script.resume_at, lambda: self._resume(now)
        if self._turn_began is None:  # the peer's silence is timed from the end of this work
            yield now + limits.idle_timeout, lambda: NOTHING
        if self._busy:
            return
        if self._ticking is not None and self._ticks(inf) and not self.awaits_flush:
            yield self._ticking.due, lambda: self._tick(now)
        yield self._partial_since + limits.request_timeout, lambda: self._close(CloseReason.REQUEST_TIMEOUT)
        framer = self.framer
        if framer is not None and framer.idle_gap != inf and self._reader.buffer:
            yield self.active_at + framer.idle_gap, lambda: self._converse(now, ended=True)
        yield self.active_at + limits.idle_timeout, lambda: self._idle(now)

    @property
    def _busy(self) -> bool:
        """Whether a reply is in progress: it waits for its next step, the kernel or a turn, not for the peer."""
        script = self._script
        script_waits = script is not None and script.receive is None
        return script_waits or self._blocked_since != inf or self._turn_began is None

    @property
    def _fin_ends_hang(self) -> bool:
        script = self._script
        return script is not None and script.hang is not None and not script.hang.ignore_fin

    def _idle(self, now: float) -> Sequence[Action]:
        """The idle timeout has passed: apply the rules on IDLE, or close."""
        actions: list[Action] = []
        self.active_at = now
        idle = CloseReason.IDLE_TIMEOUT
        if self.receiving:
            acts = self._interrupt(actions, now)
        else:
            acts = self._begin(Event.IDLE, self._plan.on_idle, actions, now, idle)
        if not acts:
            actions += self._close_after_faults(idle, now)
        return actions

    def _interrupt(self, actions: list[Action], now: float) -> bool:
        """Play the script of a rule on IDLE while another script waits for a frame; False if no rule acts."""
        context = self.context
        interrupted = Interrupted(self._taken_up(), context.request, context.captures)
        if self.recorder is not None:
            self.recorder.interrupted()
        acts = self._begin(Event.IDLE, self._plan.on_idle_in_script, actions, now, CloseReason.IDLE_TIMEOUT)
        script = self._script
        if script is not None:
            script.interrupted = interrupted
        elif self._closing is None or self._closing.phase == HALF_CLOSED:
            self._return_to(interrupted)
        return acts

    def _return_to(self, interrupted: Interrupted) -> None:
        """The script that came in between is over: the one before waits on."""
        context = self.context
        self._script, context.request, context.captures = interrupted
        self.awaits_flush = True
        if self.recorder is not None:
            self.recorder.continued()

    def _set_clocks(self, plan: ListenerPlan, now: float) -> None:
        """Set the clocks of the plan's rules on TICK."""
        self._ticking = Ticking(plan.ticks, self.born, now) if plan.ticks else None
        if self._ticking is not None:
            self.deadline = min(self.deadline, self._ticking.due)

    def _ticks(self, now: float) -> bool:
        """Whether a rule on TICK is due: no script is in progress, and the conversation goes on."""
        ticking = self._ticking
        if ticking is None or ticking.due > now:
            return False
        return self._script is None and self._closing is None and not self._last_rules_applied

    def _tick_comes_next(self, now: float) -> bool:
        """Whether a rule on TICK acts before anything else; if not, the deadline is that of the next tick."""
        if self._ticking is None or not self._ticks(inf):
            return False
        if self._turn_began is not None and self._ticking.due <= now:
            return True
        self.deadline = min(self.deadline, self._ticking.due)
        return False

    def _tick(self, now: float) -> Sequence[Action]:
        """Play the scripts of the rules on TICK that are due, until one waits."""
        actions: list[Action] = []
        if self._active.plan is not self._plan:
            self._take_new_plan(now)
        while self._ticks(now):
            assert self._ticking is not None
            tick = self._ticking.take(now)
            self._begin(Event.TICK, tick.rules, actions, now)
            if self._script is not None:
                self._script.is_tick = True
            elif self._out_of_time():
                self._give_way()
                break
        if self._closing is None and self._script is None:
            self.awaits_flush = True  # what was received meanwhile is processed from there
        return actions

    def _out_of_time(self) -> bool:
        """Whether this turn has used up its time."""
        began, connection = self._turn_began, self._connection
        return began is None or (connection is not None and connection.clock() - began >= TURN_SECONDS)

    def _give_way(self) -> None:
        """Schedule the rest of the work for the next turn."""
        self._turn_began = None
        self.wants_read = False

    # ── Requests ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _go_on(self, now: float) -> Sequence[Action]:
        """Process what is left once the kernel has taken everything; at the next turn if this one is used up."""
        if self._busy:
            return NOTHING
        began, reader = self._turn_began, self._reader
        if began is not None and now - began >= TURN_SECONDS and (reader.buffer or reader.framer is None):
            self._give_way()
            return NOTHING
        return self._converse(now)

    def _converse(self, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Answer the requests in the buffer. `ended`: the rest of the buffer is a complete request."""
        if self._active.plan is not self._plan:
            self._take_new_plan(now)
        closing = self._closing
        if closing is not None:
            return self._unanswered(now)
        reader = self._reader
        try:
            if self._script is not None and self._script.receive is not None:
                return self._receive(self._script, self._script.receive, now, ended=ended)
            actions, at, more = self._answer(now, ended)
        except Malformed:
            return self._close(CloseReason.MALFORMED_REQUEST)
        if self._turn_began is None and not more:
            return actions  # a request is still being parsed
        if self._closing is None:
            if at < len(reader.buffer) or self._observer is not None:
                self._consume(at)
            else:
                reader.buffer = b""
            if reader.buffer or more or self._eof or self._draining or self._script is not None:
                actions += self._rest(more, at, now)
            else:
                self.wants_read = True
                self._partial_since = inf
        elif self._closing.phase == HALF_CLOSED:
            actions += self._unanswered(now)
        return actions

    def _unanswered(self, now: float) -> Sequence[Action]:
        """Our half is closed: input is not a request and is not processed."""
        self._reader.buffer = b""
        self._partial_since = inf
        script = self._script
        if script is not None and script.receive is not None:
            return self._receive(script, script.receive, now)
        return self._leave(now) if script is None and (self._eof or self._draining) else NOTHING

    def _answer(self, now: float, ended: bool) -> tuple[list[Action], int, bool]:
        """Frame and answer requests.

        Return the actions, the start of the next request, and whether it may be complete too.
        """
        reader = self._reader
        for_one = reader.before is not None
        requests, end = self._split(ended)
        buffer, framer, limit = reader.buffer, reader.framer, self._plan.limits.max_request_bytes
        actions: list[Action] = []
        matched: list[Rule | None] = []
        size = 0
        stop = late = False
        # Up to `MAX_BATCH` look-ups take less than 0.1 ms; the clock is read after anything slower.
        timed = len(requests) > 1 and self._selector.look_up is None
        for request in requests:
            if end > limit and len(request) > limit:
                actions += self._close(CloseReason.REQUEST_TOO_LARGE)
                break
            rule = self._rule_on(request, now)
            matched.append(rule)
            if rule is not None:
                if rule.reply is not None:
                    actions.append(rule.reply)
                    size += len(rule.reply.data)
                else:
                    size += self._reply(rule, request, actions, now)
                    stop = self._script is not None or self._closing is not None or reader.framer is not framer
                    timed = True
                if stop or size >= OUTPUT_AHEAD:
                    break
            if timed and len(matched) < len(requests) and self._out_of_time():
                late = True
                self._give_way()
                break
        answered = len(matched)
        rest = end < len(buffer)
        unfinished = rest and framer is not None and framer.unfinished
        more = (
            stop or late or (answered > 0 and (for_one or unfinished)) or answered == MAX_BATCH or size >= OUTPUT_AHEAD
        )
        if answered < len(requests) and framer is not None:  # in this case it is the framer that found them
            end = framer.consumed(buffer, answered)
        elif answered and not (more or ended or rest) and self._selector.caches_replies:
            self._cache_reply(matched)
        if answered:
            self._started = now
            self.awaits_flush = True
            self._answered = answered - (self._script is not None)
        return actions, end, more

    def _split(self, ended: bool) -> tuple[Sequence[bytes], int]:
        """Return the requests at the start of the buffer, and where the next one begins."""
        reader = self._reader
        framer, buffer = reader.framer, reader.buffer
        if self._observer is not None:
            self._observer.request_split(reader.framing, framer)
        if ended:
            return (bytes(buffer),), len(buffer)
        requests, end = reader.empty_request() if framer is None else framer.split(buffer, reader.searched)
        if not requests and framer is not None and framer.unfinished:
            requests, end = self._split_on(framer)
        if reader.before is None or not requests:
            return requests, end
        return reader.first_alone(requests, end)

    def _split_on(self, framer: Framing) -> tuple[Sequence[bytes], int]:
        """Call `Framing.split` again while it has more to do and this turn has time left."""
        reader = self._reader
        while True:
            reader.searched = len(reader.buffer)
            if self._out_of_time():
                self._give_way()
                return (), 0
            requests, end = framer.split(reader.buffer, reader.searched)
            if requests or not framer.unfinished:
                return requests, end

    def _rule_on(self, request: bytes, now: float) -> Rule | None:
        """Find the rule on a request, and count the match."""
        self.number += 1
        selector = self._selector
        if selector.look_up is not None:
            rule = selector.look_up(request)
        else:
            context = self._context or self.context
            context.request, context.number, context.captures, context.shared_view = request, self.number, None, None
            cache = selector.rule_cache
            if cache is not None and request in cache:
                rule = cache[request]
            elif len(request) > selector.max_search_bytes:
                return SEARCHING
            else:
                try:
                    rule = selector.search(request, context)
                except SearchTooLong:
                    return SEARCHING
                if cache is not None:
                    cache.store(request, rule)
        if rule is None:
            self._metrics.unmatched(1)
        else:
            self._metrics.requested(rule.cell, 1)
        if self.recorder is not None:
            self.recorder.matched(request, rule, self.number, now, self)
        if self._observer is not None:
            self._observe_rule(self._observer, request, rule)
        return rule

    def _observe_rule(self, observer: Observer, request: bytes, rule: Rule | None) -> None:
        """Report the rule on a request, and its constant reply."""
        context = self.context
        context.number = self.number
        observer.rule_selected(Event.REQUEST, self._plan.on_request.in_order, request, rule, context)
        if rule is not None and rule.reply is not None:
            observer.sent(rule.reply.data)

    def _cache_reply(self, matched: Sequence[Rule | None]) -> None:
        """Cache the replies to this read, if they depend on its bytes alone."""
        rule, reader = matched[0], self._reader
        if matched.count(rule) < len(matched) or reader.framing is not self._plan.framing:
            return
        if reader.framer is None or reader.framer.has_history:
            return
        if type(reader.buffer) is bytes and self._observer is None:
            self._selector.reply_cache.store(reader.buffer, len(matched), rule)

    def _receive(self, script: ScriptRun, receive: Receive, now: float, *, ended: bool = False) -> Sequence[Action]:
        """Read the frame that the script waits for. `ended`: the rest of the buffer is a complete frame."""
        reader, framer = self._reader, script.framer
        assert framer is not None
        frames, end = framer.split(reader.buffer, reader.searched)
        if not frames and framer.unfinished:
            frames, end = self._split_on(framer)
        if not frames and (ended or (self._eof and framer.eof_completes and reader.buffer)):
            frames, end = (bytes(reader.buffer),), len(reader.buffer)
        if not frames:
            return self._rest(False, 0, now) if self._turn_began is not None else NOTHING
        if len(frames[0]) > self._plan.limits.max_request_bytes:
            return self._close(CloseReason.REQUEST_TOO_LARGE)
        self._consume(end if len(frames) == 1 else framer.consumed(reader.buffer, 1))
        reader.searched, self._partial_since = 0, inf
        if receive.variable:
            self._set_variable(receive.variable, frames[0])
        script.receive = None
        if receive.expect is not None:
            script.steps = chain(receive.expect.compare(frames[0], self.context), script.steps)
        return self._resume(now)

    def _consume(self, size: int) -> None:
        """Remove what was processed from the buffer."""
        self._reader.consume(size)
        if self._observer is not None:
            self._observer.input_consumed()

    def _rest(self, more: bool, taken: int, now: float) -> Sequence[Action]:
        """Decide how to continue after requests were processed, if not by waiting for the next one."""
        reader, script = self._reader, self._script
        left = len(reader.buffer)
        reader.searched = 0
        self.wants_read = not self._eof
        if more:
            self._partial_since = inf
            reader.count_empty(taken)
            if script is not None and script.receive is None:
                self.wants_read = not self._eof and left < READ_AHEAD
            self.wants_read = self.wants_read and self._turn_began is not None
            return NOTHING  # `writing_resumed` continues, or the script
        framer = self.framer
        assert framer is not None
        limit = self._plan.limits.max_request_bytes
        hopeless = reader.why_hopeless(framer, limit) if left and not (self._eof and framer.eof_completes) else None
        if hopeless is not None:
            return self._close(hopeless)
        if self._eof:
            if left and framer.eof_completes and not self.receiving:
                return self._converse(now, ended=True)
            if left:
                self._metrics.truncated()
                reader.buffer = b""
            return self._leave(now)
        if not left and script is None:
            self._partial_since = inf
            return self._leave(now)
        reader.searched = left
        if taken or self._partial_since == inf:
            self._partial_since = now
            self.deadline = min(self.deadline, now + self._plan.limits.request_timeout)
        if framer.idle_gap != inf:
            self.deadline = min(self.deadline, now + framer.idle_gap)
        return self._send_interim(framer) if framer.interim else NOTHING

    def _send_interim(self, framer: Framing) -> Sequence[Action]:
        """Send what the peer waits for before it sends the rest of its request. Faults do not apply to it."""
        interim = Send(framer.interim)
        framer.interim_sent()
        if self._observer is not None:
            self._observer.sent(interim.data)
        return (interim,)

    def _take_new_plan(self, now: float) -> None:
        """Switch to the active plan, unless its framing differs: then this connection keeps its plan to the end."""
        old, new, reader = self._plan, self._active.plan, self._reader
        if new.framing != old.framing:
            self._active = ActivePlan(old)
            return
        self._plan = new
        self._selector = new.on_request.selector_for(self.state)
        if new.ticks or old.ticks:
            self._set_clocks(new, now)
        if reader.framing is old.framing:
            reader.framing = new.framing

    # ── Scripts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(
        self, event: Event, rules: Rules, actions: list[Action], now: float, otherwise: CloseReason | None = None
    ) -> bool:
        """Handle an event that is not a request: play the first matching rule's script; False if there is none.

        Also True if the search takes long; if that then finds no rule, the connection is closed for the reason
        `otherwise`.
        """
        if not rules.in_order:
            return False
        context = self.context
        context.request, context.captures, context.number, context.shared_view = b"", None, self.number, None
        selector = rules.selector_for(context.state)
        try:
            rule = SEARCHING if selector.max_search_bytes < 0 else selector.search(b"", context)
        except SearchTooLong:
            rule = SEARCHING
        if rule is SEARCHING:
            script = self._found_on_event(event, rules, selector, otherwise, now)
        else:
            self._found_for(event, rules, rule, now)
            if rule is None:
                return False
            script = self._script_of(rule, context)
        self._play(script, actions, now)
        if self._script is None or self._script.receive is not None:
            self.awaits_flush = True  # what follows is done, or received, from there
        return True

    def _found_for(self, event: Event, rules: Rules, rule: Rule | None, now: float) -> None:
        """Count an event by the rule that was found for it."""
        if rule is not None:
            self._metrics.matched(rule.cell)
            if self.recorder is not None:
                self.recorder.event(event, rule, now, self)
        if self._observer is not None:
            self._observer.rule_selected(event, rules.in_order, b"", rule, self.context)

    def _found_on_event(
        self, event: Event, rules: Rules, selector: Selector, otherwise: CloseReason | None, now: float
    ) -> Iterator[Step]:
        """Search for a rule on an event in parts: yields None between them, then the steps."""
        rule = yield from selector.search_in_parts(b"", self.context)
        self._found_for(event, rules, rule, now)
        if rule is not None:
            yield from self._script_of(rule, self.context)
        elif otherwise is not None:
            yield from apply_to_close(self._plan.faults, otherwise, self.context)

    def _reply(self, rule: Rule, request: bytes, actions: list[Action], now: float) -> int:
        """Play the script of the rule on a request; return the number of bytes sent."""
        context = self._context or self.context
        context.request, context.number = request, self.number
        if self._selector.look_up is not None:  # otherwise the search may have looked at the shared variables
            context.shared_view = None
        found = rule is not SEARCHING
        script = self._script_of(rule, context) if found else self._found_on_request(self._selector, request, now)
        size = self._play(script, actions, now)
        if self._script is not None:
            self._script.answers_request = True
        return size

    def _found_on_request(self, selector: Selector, request: bytes, now: float) -> Iterator[Step]:
        """Search for a rule on a request in parts: yields None between them, then the steps."""
        rule = yield from search(selector, request, self.context)
        if self._observer is not None:
            self._observer.rule_selected(Event.REQUEST, self._plan.on_request.in_order, request, rule, self.context)
        if rule is None:
            self._metrics.unmatched(1)
        else:
            self._metrics.requested(rule.cell, 1)
        if self.recorder is not None:
            self.recorder.matched(request, rule, self.number, now, self)
        if rule is not None:
            yield from self._script_of(rule, self.context)

    def _script_of(self, rule: Rule, context: RequestContext) -> Iterator[Step]:
        """Return the steps of a rule that has matched."""
        script = context.chosen_steps if rule.counted else rule.steps
        faults = self._plan.faults
        if faults:
            return apply_all(faults, resolve(script, context, self._observer), context, rule.name)
        return iter(script) if self._observer is None else resolve(script, context, self._observer)

    def _play(self, script: Iterator[Step], actions: list[Action], now: float) -> int:
        """See `_take_steps`. What the script sends is recorded."""
        recorder = self.recorder
        if recorder is None:
            return self._take_steps(script, actions, now)
        first, context = len(actions), self._context or self.context
        size = self._take_steps(script, actions, now)
        if context.applied_faults:
            recorder.applied(context.applied_faults)
            context.applied_faults = ()
        recorder.sending(actions, first)
        if self._script is None:
            recorder.played()
        else:
            recorder.suspended()
        return size

    def _take_steps(self, script: Iterator[Step], actions: list[Action], now: float) -> int:
        """Take steps until one waits, the conversation ends, or the turn is over; return the number of bytes sent.

        `_script` is the rest then.
        """
        size, free, context = 0, FREE_STEPS, self._context or self.context
        for step in script:
            try:
                result = step(context) if callable(step) else step
            except EvaluationError as problem:
                result = failed(problem)
            if type(result) is Send:
                if self._closing is None:
                    actions.append(result)
                    size += len(result.data)
                    if self._observer is not None:
                        self._observer.sent(result.data)
            elif isinstance(result, GeneratorType):
                return size + self._take_steps(chain(result, resolve(script, context, None)), actions, now)
            elif result is not None and not self._obey(result, script, actions, now):
                break
            free -= 1
            if free < 0 and (size >= OUTPUT_AHEAD or self._out_of_time()):
                self._pause(ScriptRun(script, inf))
                self._give_way()
                break
        return size

    def _obey(self, result: StepResult, script: Iterator[Step], actions: list[Action], now: float) -> bool:
        """Carry out a step result that is not a plain send; return whether the next step follows at once."""
        match result:
            case Wait(seconds):
                self.context.shared_view = None
                self._metrics.delayed(seconds)
                if self.recorder is not None:
                    self.recorder.delayed(seconds)
                self._pause(ScriptRun(script, now + seconds))
                return False
            case Hang():
                actions += self._hang(result, now)
                return False
            case Receive():
                self.context.shared_view = None
                self._pause(ScriptRun(script, inf, result))
                return False
            case EndSession() | Unexpected():
                actions += self._end_script(result)
                return False
            case SetFraming(framing, once):
                self._reader.set_framing(framing, once=once)
            case EnterState(state):
                self._enter_state(state)
            case SetVariable() | DeleteVariable() | PutShared() | DeleteShared() | AddShared():
                return self._write(result, actions)
            case HalfClose():
                actions += self._half_close()
        return True

    def _end_script(self, end: EndSession | Unexpected) -> Sequence[Action]:
        """End the conversation, as a step says, or because a frame is not what the script expects."""
        if isinstance(end, EndSession):
            return self._reset() if end.by_reset else self._close(end.reason)
        expectation, frame, context = end.expectation, end.frame, self.context
        if self._observer is not None:
            self._observer.unexpected(frame, expectation.mismatch(frame, context))
        if self._connection is not None:
            self._connection.unexpected(expectation.rule, lambda: expectation.mismatch(frame, context))
        return self._close(CloseReason.UNEXPECTED)

    def _write(
        self, write: SetVariable | DeleteVariable | PutShared | DeleteShared | AddShared, actions: list[Action]
    ) -> bool:
        """Change a variable; the connection is closed if a shared one cannot be changed."""
        context = self.context
        try:
            match write:
                case SetVariable(name, value):
                    self._set_variable(name, value)
                case DeleteVariable(name):
                    context.variables.pop(name, None)
                case PutShared(key, value):
                    context.shared.put(key, value)
                case DeleteShared(key):
                    context.shared.delete(key)
                case AddShared(key, by, into):
                    total = context.shared.add(key, by)
                    if into:
                        self._set_variable(into, total)
        except EvaluationError as problem:
            actions += self._close(failed(problem).reason)
            return False
        return True

    def _enter_state(self, state: str) -> None:
        context = self.context
        if self._observer is not None and state != context.state:
            self._observer.state_entered(state)
        context.state = state
        self._selector = self._plan.on_request.selector_for(state)

    def _set_variable(self, name: str, value: bytes) -> None:
        variables = self.context.variables
        if self._observer is not None and variables.get(name) != value:
            self._observer.variable_set(name, value)
        variables[name] = value

    def _hang(self, hang: Hang, now: float) -> Sequence[Action]:
        """Send nothing more, unless the peer has left already, or a drain has begun."""
        if self._draining:
            return self._close(CloseReason.DRAIN)
        if self.fin_noted and not hang.ignore_fin:
            return self._close(CloseReason.PEER_GAVE_UP)
        self._pause(ScriptRun.hanging(hang, now, self._plan.limits.lifetime))
        return NOTHING

    def _pause(self, script: ScriptRun) -> None:
        self._script = script
        self.deadline = min(self.deadline, script.resume_at)

    def _taken_up(self) -> ScriptRun:
        """Return the suspended script, and clear it."""
        script, self._script = self._script, None
        assert script is not None
        return script

    def _resume(self, now: float) -> Sequence[Action]:
        """Continue the script in progress."""
        actions: list[Action] = []
        before = self._taken_up()
        self._play(before.steps, actions, now)
        script = self._script
        if script is None:
            self._answered += before.answers_request
            if before.interrupted is not None and (self._closing is None or self._closing.phase == HALF_CLOSED):
                self._return_to(before.interrupted)
        else:
            script.answers_request = before.answers_request
            script.is_tick = before.is_tick
            script.interrupted = before.interrupted
        if script is None or script.receive is not None:
            if not before.is_tick:
                self.active_at = now
            self.awaits_flush = True  # the rest is processed, and timed, from there
        return actions

    # ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _leave(self, now: float) -> Sequence[Action]:
        """The peer has sent FIN, or a drain has begun, and nothing is owed: apply the event's rules, then close."""
        actions: list[Action] = []
        self._script = None  # input that the script waited for will not come
        if self._eof:
            reason, event, rules = CloseReason.PEER_EOF, Event.EOF, self._plan.on_eof
        else:
            reason, event, rules = CloseReason.DRAIN, Event.DRAIN, self._plan.on_drain
        if not self._last_rules_applied:
            self._last_rules_applied = True
            if self._begin(event, rules, actions, now, reason):
                return actions  # `writing_resumed` calls this again
        return self._close_after_faults(reason, now)

    def _close_after_faults(self, reason: CloseReason, now: float) -> Sequence[Action]:
        """Close in order when nothing is owed; a fault may delay it."""
        if not self._plan.faults:
            return self._close(reason)
        actions: list[Action] = []
        self._script = None
        self._play(apply_to_close(self._plan.faults, reason, self.context), actions, now)
        return actions

    def _close(self, reason: CloseReason) -> Sequence[Action]:
        """Send FIN, then read and discard until the peer's."""
        if self._observer is not None:
            self._observer.closing(reason, self.buffer)
        closing = self._closing
        if closing is None:
            closing, actions = Closing(reason), FIN
            self._closing = closing
        else:  # half-closed: FIN was sent
            closing.reason, closing.phase, actions = reason, CLOSING, NOTHING
        self._release()
        if self._eof:
            self.wants_read = False
            if self._observer is not None:
                self._observer.closed(reason, by_reset=False)
            return closing.finish()
        self.wants_read = True
        self.awaits_flush = True
        return actions

    def _half_close(self) -> Sequence[Action]:
        """Send FIN. What the peer sends from now on is not answered."""
        if self._observer is not None:
            self._observer.closing(CloseReason.SERVER_CLOSE, self.buffer)
        if self._closing is not None:
            return NOTHING
        self._closing = Closing(CloseReason.SERVER_CLOSE, HALF_CLOSED)
        if self._observer is not None:
            self._observer.half_closed()
        return FIN

    def _discard(self, closing: Closing, size: int) -> Sequence[Action]:
        """Discard bytes that arrived after our FIN was requested."""
        if closing.phase == HALF_CLOSED or closing.discards(size):
            return NOTHING
        return self._finish()

    def _finish(self) -> Sequence[Action]:
        """Close the socket: both directions are done."""
        closing = self._end(CloseReason.SERVER_CLOSE)
        if self._observer is not None:
            self._observer.closed(closing.reason, by_reset=False)
        return closing.finish()

    def _reset(self) -> Sequence[Action]:
        """Reset the connection once everything sent before is in the kernel."""
        reason = CloseReason.SERVER_RESET
        if self._observer is not None:
            self._observer.closing(reason, self.buffer)
            self._observer.closed(reason, by_reset=True)
        self._end(reason).finish()
        return (Reset(reason),)

    def _abort(self) -> Sequence[Action]:
        """Reset at once: the kernel could not pass on a reply in time, because the peer does not read it."""
        reason = CloseReason.WRITE_TIMEOUT
        if self._observer is not None:
            self._observer.closed(reason, by_reset=True)
        self._end(reason).finish()
        return (Abort(reason),)

    def _end(self, reason: CloseReason) -> Closing:
        """Take no more steps and no more requests, and read nothing. `reason`: if there was none before."""
        self._release()
        self.wants_read = False
        closing = self._closing
        if closing is None:
            closing = self._closing = Closing(reason)
        return closing

    def _release(self) -> None:
        """Drop the script, the input and the references to the connection, which refers to this object."""
        self._script = self._context = self._connection = None
        self._turn_began = 0.0
        self._reader.buffer = b""
        self._partial_since = inf
