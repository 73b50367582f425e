"""The simulation of a connection: a virtual clock, and a peer that sends what it is told to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.core.context import RequestContext
from answerback.core.framing import Framing, Idle, UntilEof
from answerback.core.plan import Accept, PlanInForce, Rule
from answerback.core.plan import Asked as Asking
from answerback.core.session_metrics import SessionMetrics
from answerback.core.steps import Hold, Outcome, Switch, Take
from answerback.explain import events, plans
from answerback.explain.events import Enough, Event, PassedOver, RuleName, Transcript
from answerback.explain.fake_connection import surroundings
from answerback.explain.observer import Watched
from answerback.language.contents import Files
from answerback.language.framing import describe, objection, waits_for
from answerback.v1 import config_pb2 as v1

# Rule: the same file and input give the same transcript; only `now` and unseeded random values differ.

READ_BYTES: Final = 64 << 10  # bytes read from the peer at once, as the drivers do


@dataclass(frozen=True, slots=True)
class Moment:
    """An action of the peer, at a time in seconds from the beginning: it sends bytes, closes its half, or waits."""

    at: float
    data: bytes = b""
    eof: bool = False


def explain(
    listener: v1.Listener, files: Files, moments: Sequence[Moment], *, peer: str, begun: datetime
) -> Transcript:
    """Simulate a listener's first connection, from `peer`, and record what happens and why.

    The configuration is one that `check` found nothing wrong with; `files` has what its `file` fields name. `moments`
    are in order; the connection begins at 0, which is `begun`. Raises config.Refused if it cannot be compiled.
    """
    return _Stage(listener, files, peer, begun).play(moments)


class _Stage(SessionMetrics):
    """The simulation of one connection. It is the session's watcher and its metrics."""

    def __init__(self, listener: v1.Listener, files: Files, peer: str, begun: datetime) -> None:
        self.now = 0.0
        plan = plans.compiled(listener, files)
        self._faults = plans.fault_names(listener)
        self._transcript = Transcript(plan.name)
        self._plan = plan
        self._framing: Framing | None = plan.framing
        self._framing_before: Framing | None = None  # as in the session
        self._taking: Framing | None = None
        self._requests = 0  # requests found since the session's last call, and still at the start of its buffer
        self._cut_by: Framing | None = None
        self._state = ""
        self._variables: dict[str, bytes] = {}
        self._in_flight: list[list[Action]] = []
        self._told = 0  # bytes in flight
        self._unread = bytearray()  # input that the session does not read yet
        self._fin = False  # whether the peer's FIN follows it
        around = surroundings(listener, peer, plan.random_seed, lambda: begun + timedelta(seconds=self.now))
        in_force = PlanInForce(plans.watched(plan, listener, files, lambda: self))
        self._session = Watched(in_force, self, self.now, around)
        self._session.watcher = self

    def play(self, moments: Sequence[Moment]) -> Transcript:
        """Run to the end: all input was processed, and nothing is in progress."""
        if self._plan.accept is not Accept.NORMAL:
            return self._nobody(moments)
        try:
            self._perform(self._session.connected(self.now))
            for moment in moments:
                self._pass(moment.at)
                self._happen(moment)
            self._finish()
        except Enough:
            pass
        return self._transcript

    def _nobody(self, moments: Sequence[Moment]) -> Transcript:
        """The listener does not serve this connection: there is no conversation."""
        self._add(events.AcceptMode(self.now, self._plan.accept.name))
        for moment in moments:
            if moment.data:
                self._add(events.Discarded(moment.at, moment.data))
        return self._transcript

    def _add(self, event: Event) -> None:
        self._catch_up()
        self._transcript.add(event)

    # ── Time, and the peer ────────────────────────────────────────────────────────────────────────────────────────

    def _pass(self, until: float) -> None:
        session = self._session
        while session.deadline <= until and not session.over:
            self._wake()
        self.now = max(self.now, until)

    def _wake(self) -> None:
        self.now = max(self.now, self._session.deadline)
        self._perform(self._session.wake(self.now))
        self._read()

    def _happen(self, moment: Moment) -> None:
        if moment.data and (self._session.over or self._session.half_closed):
            self._add(events.Discarded(self.now, moment.data))
        elif moment.data:
            self._add(events.Received(self.now, moment.data))
            self._unread += moment.data
            self._read()
        if moment.eof and not self._session.over:
            self._add(events.ReceivedEof(self.now))
            self._fin = True
            self._read()

    def _read(self) -> None:
        """Pass on input, as a driver does, while the session reads."""
        while self._unread and self._session.wants_read and not self._session.over:
            data = bytes(self._unread[:READ_BYTES])
            del self._unread[:READ_BYTES]
            self._perform(self._session.receive(data, self.now))
        if self._unread and self._session.over:
            self._add(events.Discarded(self.now, bytes(self._unread)))
            self._unread.clear()
        if self._fin and not self._session.over:
            self._hear_fin()

    def _hear_fin(self) -> None:
        """Pass on the peer's FIN; if input before it is not read yet, only note it."""
        session = self._session
        if not self._unread:
            self._fin = False
            self._perform(session.eof(self.now))
        elif not session.fin_noted:
            self._perform(session.fin(self.now))
            self._read()

    def _finish(self) -> None:
        """Let time pass while something is in progress; then report what is left."""
        session = self._session
        while session.in_progress and not session.over:
            self._wake()
        if session.over:
            return
        framing = self._taking or self._framing
        buffer = session.buffer
        if framing is not None and (buffer or self._taking is not None):
            self._left(buffer, framing, waits_for(framing, buffer))
        self._add(events.Open(self.now, session.state))

    # ── What the session does ─────────────────────────────────────────────────────────────────────────────────────

    def _perform(self, actions: Sequence[Action]) -> None:
        """Perform actions at once, like a kernel with unlimited buffers; answer FIN with FIN, as most peers do."""
        session = self._session
        while True:
            self._tell(actions[self._told :])
            self._in_flight, self._told, self._requests = [], 0, 0
            self._look(session)
            if session.awaits_flush:
                actions = session.flushed(self.now)
            elif session.wants_turn:
                actions = session.take_turn(self.now)
            elif session.closing:
                actions = session.eof(self.now)
            else:
                return

    def _tell(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case Send(data) if data:
                    self._transcript.add(events.Sent(self.now, bytes(data)))
                case HalfClose() if self._session.half_closed:
                    self._transcript.add(events.HalfCloses(self.now))
                case Close(reason) | Reset(reason) | Abort(reason):
                    in_order = isinstance(action, Close)
                    self._transcript.add(events.Closed(self.now, not in_order, reason.label))

    def _catch_up(self) -> None:
        """Report what was done before the next event is recorded."""
        actions = list(chain.from_iterable(self._in_flight))
        told, self._told = self._told, len(actions)
        self._tell(actions[told:])

    def _look(self, context: RequestContext) -> None:
        """Report what has changed in the connection's state and variables."""
        if context.state != self._state:
            self._state = context.state
            self._add(events.Enters(self.now, context.state))
        for name, value in context.variables.items():
            if self._variables.get(name) != value:
                self._variables[name] = value
                self._add(events.VariableSet(self.now, name, value))

    # ── See `observer.Watcher` ────────────────────────────────────────────────────────────────────────────────────

    def sending(self, actions: list[Action]) -> None:
        """See `Watcher.sending`."""
        if not any(actions is each for each in self._in_flight):
            self._in_flight.append(actions)

    def searched(self, event: str, context: Asking, rule: Rule | None, passed_over: Sequence[PassedOver]) -> None:
        """See `Watcher.searched`."""
        self._look(context)
        request = event == "REQUEST"
        self._add(
            events.Evaluated(
                self.now,
                event,
                context.number if request else 0,
                context.request,
                describe(self._framing) if request else "",
                context.state,
                None if rule is None else RuleName(rule.name, rule.place),
                tuple(passed_over),
            )
        )
        if request:
            self._requests += 1
            self._cut_by = self._framing
            if self._framing_before is not None:
                self._framing, self._framing_before = self._framing_before, None

    def taking(self, context: RequestContext) -> None:
        """See `Watcher.taking`."""
        self._taking = None
        self._look(context)

    def taken(self, context: RequestContext, outcome: Outcome) -> None:
        """See `Watcher.taken`."""
        self._look(context)
        match outcome:
            case Hold(ignore_fin):
                self._add(events.Holds(self.now, ignore_fin))
            case Switch(framing, once):
                self._framing_before = self._framing if once else None
                self._framing = framing
                self._add(events.FramingChanged(self.now, describe(framing), once))
            case Take(framing, variable):
                self._taking = framing
                self._add(events.Takes(self.now, describe(framing), variable))

    def kept(self) -> None:
        """See `Watcher.kept`."""
        self._requests = 0

    def ending(self, reason: CloseReason, buffer: bytes) -> None:
        """See `Watcher.ending`."""
        rest = self._behind_requests(buffer)
        framing = self._taking or self._framing
        if not rest or framing is None:
            return
        if reason == CloseReason.MALFORMED_REQUEST:
            self._left(rest, framing, objection(framing, rest) or "its end is unknown")
        elif reason == CloseReason.REQUEST_TOO_LARGE:
            self._left(rest, framing, f"it is longer than max_request_bytes, {self._plan.limits.max_request_bytes}")
        elif reason == CloseReason.REQUEST_TIMEOUT:
            self._left(rest, framing, waits_for(framing, rest))
        else:
            self._add(events.Discarded(self.now, rest))

    def _behind_requests(self, buffer: bytes) -> bytes:
        """Return the part of the session's buffer behind the requests found in it."""
        if not self._requests or self._cut_by is None:
            return buffer
        if isinstance(self._cut_by, Idle | UntilEof):  # the request was all of it
            return b""
        return buffer[self._cut_by.consumed(buffer, self._requests) :]

    def _left(self, data: bytes, framing: Framing, why: str) -> None:
        self._add(events.Incomplete(self.now, data, describe(framing), why))

    # ── See `core.session_metrics.SessionMetrics` ──

    def requested(self, rule: int, requests: int) -> None:
        """Nothing: `searched` reports it."""

    def unmatched(self, requests: int) -> None:
        """Nothing: `searched` reports it."""

    def matched(self, rule: int) -> None:
        """Nothing: `searched` reports it."""

    def struck(self, fault: int) -> None:
        """A fault applies to a reply."""
        self._add(events.Strikes(self.now, self._faults[fault]))

    def answered(self, seconds: float, requests: int) -> None:
        """Nothing: the times of events show it."""

    def delayed(self, seconds: float) -> None:
        """A step waits."""
        self._add(events.Waits(self.now, seconds))

    def truncated(self) -> None:
        """The peer closed its half in the middle of a request."""
        framing = self._taking or self._framing
        if framing is not None:
            buffer = self._session.buffer
            self._left(buffer, framing, f"the peer closed its half; {waits_for(framing, buffer)}")
