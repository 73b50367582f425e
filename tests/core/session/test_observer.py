"""What a session reports to its observer: everything, once, in order, and nothing that changes the conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from answerback.core import steps
from answerback.core.actions import Action, Close, CloseReason, HalfClose, Reset, Send
from answerback.core.context import RequestContext
from answerback.core.delays import Fixed as FixedDelay
from answerback.core.faults import Drop, Fault, Latency
from answerback.core.framing import Fixed, Framing, Line
from answerback.core.matching import Mismatch
from answerback.core.plan import ActivePlan, Event, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.core.session import Observer, Session
from answerback.core.steps import Receive, SetFraming, StepResult
from tests.core.plans import LINE, plan, rule, say, size, template
from tests.core.playbook import Account, Somewhere


@dataclass
class Recorded(Observer):
    """An observer that records the calls of its methods."""

    reports: list[tuple[object, ...]] = field(default_factory=list)

    def rule_selected(
        self,
        event: Event,
        rules: Sequence[Rule],  # noqa: ARG002 - those of the plan
        request: bytes,
        rule: Rule | None,
        context: RequestContext,
    ) -> None:
        self.reports.append(("rule", event, request, rule and rule.name, context.number, context.state))

    def request_split(self, framing: Framing | None, framer: Framing | None) -> None:  # noqa: ARG002 - made of it
        self.reports.append(("framing", framing))

    def step_taken(self, result: StepResult) -> None:
        self.reports.append(("step", result))

    def state_entered(self, state: str) -> None:
        self.reports.append(("state", state))

    def unexpected(self, frame: bytes, mismatch: Mismatch) -> None:
        self.reports.append(("unexpected", frame, mismatch.at))

    def variable_set(self, name: str, value: bytes) -> None:
        self.reports.append(("variable", name, value))

    def sent(self, data: bytes | memoryview) -> None:
        self.reports.append(("sent", bytes(data)))

    def input_consumed(self) -> None:
        self.reports.append(("consumed",))

    def forwarded(self, data: bytes) -> None:
        self.reports.append(("forwarded", data))

    def closing(self, reason: CloseReason, buffer: bytes) -> None:
        self.reports.append(("closing", reason, buffer))

    def half_closed(self) -> None:
        self.reports.append(("half closed",))

    def closed(self, reason: CloseReason, *, by_reset: bool) -> None:
        self.reports.append(("closed", reason, by_reset))


@dataclass
class Watched:
    """A session with an observer, and a driver that performs everything at once."""

    target: ListenerPlan
    now: float = 0.0

    def __post_init__(self) -> None:
        self.observer = Recorded()
        self.session = Session(ActivePlan(self.target), Account(), self.now, Somewhere(), self.observer)

    def receives(self, data: bytes) -> list[Action]:
        done = [*self.session.receive_data(data, self.now)]
        while self.session.awaits_flush:
            done += self.session.writing_resumed(self.now)
        return done

    def told(self, *kinds: str) -> list[tuple[object, ...]]:
        """The reports of these kinds so far."""
        return [report for report in self.observer.reports if report[0] in kinds]


def test_request_is_reported_with_its_rule_before_its_reply() -> None:
    watched = Watched(plan(rule(say(b"A"), when=b"a", name="first"), rule(steps.echo(), name="second", place=1)))
    watched.receives(b"a\nb\n")
    assert watched.observer.reports == [
        ("framing", LINE),
        ("rule", Event.REQUEST, b"a", "first", 1, ""),
        ("sent", b"A"),
        ("rule", Event.REQUEST, b"b", "second", 2, ""),
        ("step", Send(b"b")),
        ("sent", b"b"),
        ("consumed",),
    ]


def test_unmatched_request_is_reported_without_a_rule() -> None:
    watched = Watched(plan(rule(say(b"A"), when=b"a")))
    watched.receives(b"x\n")
    assert watched.told("rule", "sent") == [("rule", Event.REQUEST, b"x", None, 1, "")]


@pytest.mark.parametrize("framing", [LINE, Line(keep_ending=True)])
def test_repeated_request_is_reported_each_time(framing: Framing) -> None:
    watched = Watched(plan(rule(say(b"A")), framing=framing))
    for _ in range(5):
        assert watched.receives(b"a\n") == [Send(b"A")]
    assert [report[4] for report in watched.told("rule")] == [1, 2, 3, 4, 5]
    assert watched.told("sent") == [("sent", b"A")] * 5


def test_state_and_variable_are_reported_only_when_they_change() -> None:
    script = (steps.state("in"), steps.set_variable("a", b"1"), steps.set_variable("b", template("${request}")))
    watched = Watched(plan(rule(*script)))
    watched.receives(b"x\n")
    watched.receives(b"x\n")
    assert watched.told("state", "variable") == [
        ("state", "in"),
        ("variable", "a", b"1"),
        ("variable", "b", b"x"),
    ]
    watched.receives(b"y\n")
    assert watched.told("variable")[-1] == ("variable", "b", b"y")
    assert watched.session.conversation.state == "in"


def test_framings_and_received_frames_are_reported() -> None:
    watched = Watched(plan(rule(steps.set_framing_of_size(size("2")), when=b"two"), rule(steps.receive(LINE, "v"))))
    watched.receives(b"two\nabx\nmore\n")
    assert watched.told("framing", "step", "rule", "variable") == [
        ("framing", LINE),
        ("rule", Event.REQUEST, b"two", "rule", 1, ""),
        ("step", SetFraming(Fixed(2), once=True)),
        ("framing", Fixed(2)),
        ("rule", Event.REQUEST, b"ab", "rule", 2, ""),
        ("step", Receive(LINE, "v")),
        ("variable", "v", b"x"),
        ("framing", LINE),
        ("rule", Event.REQUEST, b"more", "rule", 3, ""),
        ("step", Receive(LINE, "v")),
    ]


def test_events_are_reported_with_their_rules() -> None:
    watched = Watched(
        plan(on_connect=Rules([rule(say(b"hi"), name="hello")]), on_eof=Rules([rule(say(b"bye"), name="end")]))
    )
    watched.session.connection_made(0.0)
    watched.session.writing_resumed(0.0)
    watched.session.receive_eof(1.0)
    assert list(watched.session.writing_resumed(1.0)) == [Close(CloseReason.PEER_EOF)]
    assert watched.told("rule", "sent", "closed") == [
        ("rule", Event.CONNECT, b"", "hello", 0, ""),
        ("sent", b"hi"),
        ("rule", Event.EOF, b"", "end", 0, ""),
        ("sent", b"bye"),
        ("closed", CloseReason.PEER_EOF, False),
    ]


@pytest.mark.parametrize(
    "step, action, reports",
    [
        (
            steps.close(),
            HalfClose(),
            [("closing", CloseReason.SERVER_CLOSE, b"x\nrest"), ("closed", CloseReason.SERVER_CLOSE, False)],
        ),
        (
            steps.reset(),
            Reset(CloseReason.SERVER_RESET),
            [("closing", CloseReason.SERVER_RESET, b"x\nrest"), ("closed", CloseReason.SERVER_RESET, True)],
        ),
        (
            steps.half_close(),
            HalfClose(),
            [
                ("closing", CloseReason.SERVER_CLOSE, b"x\nrest"),
                ("half closed",),
                ("closing", CloseReason.PEER_EOF, b""),
                ("closed", CloseReason.PEER_EOF, False),
            ],
        ),
    ],
)
def test_ends_are_reported_with_the_bytes_that_are_discarded(
    step: steps.Step, action: Action, reports: list[tuple[object, ...]]
) -> None:
    watched = Watched(plan(rule(step)))
    assert watched.receives(b"x\nrest") == [action]
    if not watched.session.over:
        watched.session.receive_eof(1.0)
    assert watched.told("closing", "half closed", "closed") == reports


def test_write_timeout_is_reported_as_a_reset() -> None:
    watched = Watched(plan(rule(say(b"A"))))
    watched.session.receive_data(b"a\n", 0.0)
    watched.session.writing_paused(0.0)
    watched.session.handle_timer(watched.session.deadline)
    assert watched.told("closed") == [("closed", CloseReason.WRITE_TIMEOUT, True)]


def test_steps_are_reported_even_if_a_fault_changes_their_results() -> None:
    target = plan(replace(rule(say(b"A")), has_faults=True))
    faults = (Fault("drop", 7, Drop(), sequence_cell=20), Fault("late", 8, Latency(FixedDelay(1)), sequence_cell=22))
    watched = Watched(replace(target, faults=faults))
    assert watched.receives(b"a\n") == []
    assert watched.told("step", "sent") == [("step", Send(b"A"))]


def test_observed_session_answers_as_one_without_an_observer() -> None:
    target = plan(
        rule(steps.state("in"), say(template("${request_number}")), when=b"a"),
        rule(steps.dribble(b"12345", size=2, gap=0), when=b"d"),
        rule(say(b"A"), when=b"c"),
        rule(steps.echo(), steps.close()),
    )
    heard = [
        byte_by_byte(Session(ActivePlan(target), Account(), 0.0, Somewhere(), observer), b"c\nc\na\nd\na\nx\nc\n")
        for observer in (None, Recorded())
    ]
    assert heard[0] == heard[1]
    assert heard[0].count(Send(b"A")) == 2
    assert heard[0][-1] == HalfClose()


def byte_by_byte(session: Session, stream: bytes) -> list[Action]:
    """What a session answers to this stream; no time passes."""
    heard: list[Action] = []
    for byte in stream:
        heard += session.receive_data(bytes((byte,)), 0.0)
        for _ in range(9):  # a script that waits for no time
            heard += session.writing_resumed(0.0) if session.awaits_flush else session.handle_timer(0.0)
    return heard
