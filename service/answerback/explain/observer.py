"""Writes down what a session reports: which rule it finds and why not an earlier one, which steps it takes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from answerback.compat import override
from answerback.core.actions import CloseReason
from answerback.core.bounded_counter import CountedFor
from answerback.core.context import RequestContext
from answerback.core.framing import Framing, Idle, UntilEof
from answerback.core.matching import Explainer, Mismatch, pattern_progress
from answerback.core.plan import Event, ListenerPlan, Rule
from answerback.core.session import Observer, Session
from answerback.core.session_metrics import SessionMetrics
from answerback.core.steps import AwaitSignal, GiveSignal, Hang, Receive, SetFraming, StartTls, StepResult
from answerback.core.tls import Handshakes
from answerback.explain import events
from answerback.explain.names import FaultName, PassedOver, RuleName, mark_nearest
from answerback.explain.transcript import Transcript
from answerback.language.framing import describe, objection, waits_for

# Rule: nothing here makes decisions, or repeats one of the session's.

WHERE: Final[Mapping[CountedFor, str]] = {
    CountedFor.LISTENER: "before",
    CountedFor.CONNECTION: "on this connection",
    CountedFor.PEER: "for this peer",
}


class Clock(Protocol):
    """What knows the time."""

    now: float


@dataclass
class Recorder(Observer, SessionMetrics):
    """Records a session's reports as the events of a transcript. `session` is set once there is one."""

    plan: ListenerPlan
    faults: list[FaultName]
    explainers: Mapping[int, Explainer]
    """Explanations of the rules' matches, by the rule's index."""
    clock: Clock
    transcript: Transcript
    replaced_framing: Framing | None = None
    """What to call the listener's framing, if another one stands in for it."""
    about_to_add: Callable[[], None] = lambda: None
    session: Session = field(init=False)
    output: bytearray = field(default_factory=bytearray)
    """What was sent and the peer has not taken yet."""
    was_reset: bool = False
    _framing: Framing | None = None
    """Under which the requests were found that are still in the session's buffer; its framer; and their number."""
    _framer: Framing | None = None
    _requests: int = 0

    def add(self, event: events.Event) -> None:
        """Append an event to the transcript."""
        self.about_to_add()
        self.transcript.add(event)

    @property
    def now(self) -> float:
        """The simulated time."""
        return self.clock.now

    @override
    def rule_selected(
        self, event: Event, rules: Sequence[Rule], request: bytes, rule: Rule | None, context: RequestContext
    ) -> None:
        captures = context.captures
        before = rules[: rules.index(rule)] if rule else rules
        passed_over = [
            PassedOver(RuleName(each.name, each.cell), self._mismatch(each, request, context)) for each in before
        ]
        context.captures = captures  # an explanation of a match that succeeds sets captures
        is_request = event is Event.REQUEST
        self._requests += is_request
        self.add(
            events.Evaluated(
                self.now,
                event.name,
                context.number if is_request else 0,
                request,
                describe(self.replaced_framing or self._framing) if is_request else "",
                context.state,
                None if rule is None else RuleName(rule.name, rule.cell),
                mark_nearest(passed_over),
            )
        )

    def _mismatch(self, rule: Rule, request: bytes, context: RequestContext) -> Mismatch:
        if rule.in_states and context.state not in rule.in_states:
            states = " or ".join(f'"{state}"' for state in rule.in_states)
            return Mismatch(f'is for the state {states}; the connection is in "{context.state}"')
        explain = self.explainers.get(rule.cell)
        with pattern_progress.shown():
            mismatch = None if explain is None else explain(request, context)
        if mismatch is not None:
            return mismatch
        where = WHERE[rule.scope]
        times = f"{rule.max_matches} time{'s' * (rule.max_matches > 1)}"
        if rule.window_seconds:
            within = f"within {rule.window_seconds:g} s"
            return Mismatch(f"has matched {times} {where} {within}, and does not match again until they are over")
        return Mismatch(f"has matched {times} {where}, and does not match again")

    @override
    def request_split(self, framing: Framing | None, framer: Framing | None) -> None:
        self._framing, self._framer = framing, framer

    @override
    def step_taken(self, result: StepResult) -> None:
        match result:
            case Hang(ignore_fin):
                self.add(events.Holds(self.now, ignore_fin))
            case SetFraming(framing, once):
                self.add(events.FramingChanged(self.now, describe(framing), once))
            case Receive(framing, variable, _):
                self.add(events.Takes(self.now, describe(framing), variable))
            case AwaitSignal(signal, timeout):
                self.add(events.WaitsForSignal(self.now, signal, timeout))
            case GiveSignal(signal):
                self.add(events.GivesSignal(self.now, signal))
            case StartTls():
                self.add(events.BeginsTls(self.now))

    @override
    def state_entered(self, state: str) -> None:
        self.add(events.Enters(self.now, state))

    @override
    def variable_set(self, name: str, value: bytes) -> None:
        self.add(events.VariableSet(self.now, name, value))

    @override
    def unexpected(self, frame: bytes, mismatch: Mismatch) -> None:
        self.add(events.NotExpected(self.now, frame, mismatch))

    @override
    def sent(self, data: bytes | memoryview) -> None:
        if data:
            self.output += data
            self.add(events.Sent(self.now, bytes(data)))

    @override
    def forwarded(self, data: bytes) -> None:
        self.add(events.Forwarded(self.now, data))

    @override
    def input_consumed(self) -> None:
        self._requests = 0

    @override
    def closing(self, reason: CloseReason, buffer: bytes) -> None:
        conversation = self.session.conversation
        rest, framing, framer = self._behind_requests(buffer), conversation.framing, conversation.framer
        if not rest or framing is None or framer is None:
            return
        if reason == CloseReason.MALFORMED_REQUEST:
            self._left(rest, framing, objection(framer, rest) or "its end is unknown")
        elif reason == CloseReason.REQUEST_TOO_LARGE:
            self._left(rest, framing, f"it is longer than max_request_bytes, {self.plan.limits.max_request_bytes}")
        elif reason == CloseReason.REQUEST_TIMEOUT:
            self._left(rest, framing, waits_for(framing, framer, rest))
        else:
            self.add(events.Discarded(self.now, rest))

    def _behind_requests(self, buffer: bytes) -> bytes:
        """Return the part of the session's buffer behind the requests found in it."""
        if not self._requests or self._framing is None or self._framer is None:
            return buffer
        if isinstance(self._framing, Idle | UntilEof):  # the request was all of it
            return b""
        return buffer[self._framer.consumed(buffer, self._requests) :]

    @override
    def half_closed(self) -> None:
        self.add(events.HalfCloses(self.now))

    @override
    def closed(self, reason: CloseReason, *, by_reset: bool) -> None:
        self.was_reset = by_reset
        self.add(events.Closed(self.now, by_reset, reason.label))

    def input_left(self) -> None:
        """All input was processed: report what is no request yet."""
        conversation = self.session.conversation
        framing, framer, buffer = conversation.framing, conversation.framer, conversation.buffer
        if framing is not None and framer is not None and (buffer or conversation.receiving):
            self._left(buffer, framing, waits_for(framing, framer, buffer))

    def _left(self, data: bytes, framing: Framing, why: str) -> None:
        self.add(events.Incomplete(self.now, data, describe(framing), why))

    # ── What is counted ───────────────────────────────────────────────────────────────────────────────────────────

    @override
    def requested(self, rule: int, requests: int) -> None:
        """Nothing: `rule_selected` reports it."""

    @override
    def unmatched(self, requests: int) -> None:
        """Nothing: `rule_selected` reports it."""

    @override
    def matched(self, rule: int) -> None:
        """Nothing: `rule_selected` reports it."""

    @override
    def fault_applied(self, fault: int) -> None:
        self.add(events.Strikes(self.now, self.faults[fault]))

    @override
    def unexpected_frame(self, cell: int) -> None:
        """Nothing: `unexpected` reports it."""

    @override
    def answered(self, seconds: float, requests: int) -> None:
        """Nothing: the times of events show it."""

    @override
    def delayed(self, seconds: float) -> None:
        self.add(events.Waits(self.now, seconds))

    @override
    def handshake(self, outcome: Handshakes) -> None:
        """Nothing: it plays what is inside TLS."""

    @override
    def truncated(self) -> None:
        conversation = self.session.conversation
        framing, framer = conversation.framing, conversation.framer
        if framing is not None and framer is not None:
            buffer = conversation.buffer
            self._left(buffer, framing, f"the peer closed its half; {waits_for(framing, framer, buffer)}")
