"""What a session reports to the recorder of its connection, in which order."""

from collections.abc import Sequence
from dataclasses import replace

from answerback.core import matching, steps
from answerback.core.actions import Action, HalfClose, Send
from answerback.core.faults import Drop, Fault
from answerback.core.matching.effort import Effort, with_effort
from answerback.core.plan import Event, Rule
from answerback.core.recorder import Recorded, Recorder
from answerback.core.reply_cache import CachedReply
from answerback.core.selection import WEIGHT_AT_ONCE, Rules
from tests.core.plans import plan, rule
from tests.core.playbook import Playbook, after, connected


class Notes(Recorder):
    """Notes every report as a tuple that begins with its name."""

    def __init__(self) -> None:
        self.all: list[tuple[object, ...]] = []

    def take(self) -> list[tuple[object, ...]]:
        """The reports since the last call."""
        taken, self.all = self.all, []
        return taken

    def repeated(self, cached: CachedReply, data: bytes, number: int, now: float, session: Recorded) -> None:
        assert session.recorder is self
        assert list(session.split_again(data)) == data.split(b"\n")[:-1]
        self.all.append(("repeated", data, number, cached.requests, now))

    def matched(self, request: bytes, rule: Rule | None, number: int, now: float, session: Recorded) -> None:
        assert session.recorder is self
        self.all.append(("matched", request, rule and rule.name, number, now))

    def event(self, event: Event, rule: Rule, now: float, session: Recorded) -> None:
        assert session.recorder is self
        self.all.append(("event", event, rule.name, now))

    def forwarded(self, *, owed: bool) -> object:
        self.all.append(("forwarded", owed))
        return len(self.all)

    def replied(self, request: object, seconds: float) -> None:
        assert request
        self.all.append(("replied", seconds))

    def unanswered(self, now: float) -> None:
        self.all.append(("unanswered", now))

    def delayed(self, seconds: float) -> None:
        self.all.append(("delayed", seconds))

    def applied(self, faults: tuple[int, ...]) -> None:
        self.all.append(("applied", *faults))

    def suspended(self, actions: Sequence[Action], first: int) -> None:
        self.all.append(("suspended", *actions[first:]))

    def interrupted(self) -> None:
        self.all.append(("interrupted",))

    def continued(self) -> None:
        self.all.append(("continued",))

    def played(self, actions: Sequence[Action], first: int) -> None:
        self.all.append(("played", *actions[first:]))

    def flushed(self, now: float) -> None:
        self.all.append(("flushed", now))

    def over(self, now: float) -> None:
        self.all.append(("over", now))


def test_each_request_and_the_steps_of_its_reply_are_reported() -> None:
    rules = (
        rule(steps.send(b"pong\n"), when=b"ping", name="ping"),
        rule(steps.echo(), steps.delay_fixed(0.5), steps.send(b"!"), when=b"slow", name="slow"),
        rule(steps.send(b"bye\n"), steps.close(), when=b"quit", name="quit"),
    )
    book = Playbook(plan(*rules))
    book.session.recorder = notes = Notes()
    book >> b"ping\n" << Send(b"pong\n")
    assert notes.take() == [("matched", b"ping", "ping", 1, 1000.0), ("flushed", 1000.0)]
    book >> b"unknown\n"
    assert notes.take() == [("matched", b"unknown", None, 2, 1000.0), ("flushed", 1000.0)]
    book >> b"ping\nslow\nquit\n" << Send(b"pong\nslow")
    assert notes.take() == [
        ("matched", b"ping", "ping", 3, 1000.0),
        ("matched", b"slow", "slow", 4, 1000.0),
        ("delayed", 0.5),
        ("suspended", Send(b"slow")),
        ("flushed", 1000.0),
    ]
    book >> after(0.5) << Send(b"!bye\n") << HalfClose()
    assert notes.take() == [
        ("played", Send(b"!")),
        ("flushed", 1000.5),
        ("matched", b"quit", "quit", 5, 1000.5),
        ("played", Send(b"bye\n"), HalfClose()),
        ("flushed", 1000.5),
    ]


def test_reply_of_a_single_step_is_reported_without_that_of_the_request_before() -> None:
    book = Playbook(plan(rule(steps.echo(), name="echo")))
    book.session.recorder = notes = Notes()
    book >> b"one\ntwo\n" << Send(b"onetwo")
    assert [note for note in notes.take() if note[0] == "played"] == [
        ("played", Send(b"one")),
        ("played", Send(b"two")),
    ]


def test_requests_answered_from_the_cache_are_reported_with_the_number_of_the_first() -> None:
    book = Playbook(plan(rule(steps.send(b"pong\n"), when=b"ping")))
    book.session.recorder = notes = Notes()
    for first in (1, 4, 7, 10):
        book >> b"ping\nping\nping\n" << Send(b"pong\n" * 3)
        reports = notes.take()
        assert reports.pop() == ("flushed", 1000.0)
        if first < 7:
            assert reports == [("matched", b"ping", "rule", first + number, 1000.0) for number in range(3)]
        else:
            assert reports == [("repeated", b"ping\n" * 3, first, 3, 1000.0)]


def test_reply_to_an_event_is_reported() -> None:
    book = Playbook(plan(on_connect=Rules((rule(steps.send(b"220\n"), name="banner"),))))
    book.session.recorder = notes = Notes()
    book >> connected << Send(b"220\n")
    assert notes.take()[:2] == [("event", Event.CONNECT, "banner", 1000.0), ("played", Send(b"220\n"))]


def test_applied_faults_are_reported_once() -> None:
    faulty = replace(
        plan(replace(rule(steps.send(b"pong\n")), has_faults=True)), faults=(Fault("drops", 9, Drop(), times=1),)
    )
    book = Playbook(faulty)
    book.session.recorder = notes = Notes()
    book >> b"a\n"
    assert notes.take()[:3] == [
        ("matched", b"a", "rule", 1, 1000.0),
        ("applied", 9),
        ("played",),
    ]
    book >> b"b\n" << Send(b"pong\n")
    assert notes.take()[:2] == [("matched", b"b", "rule", 2, 1000.0), ("played", Send(b"pong\n"))]


def test_request_whose_rule_is_searched_for_in_parts_is_reported_once() -> None:
    dear = with_effort(matching.contains(b"ping"), Effort(weight=WEIGHT_AT_ONCE))
    known = plan(replace(rule(steps.send(b"pong\n"), name="ping"), matches=dear))
    book = Playbook(known)
    book.session.recorder = notes = Notes()
    long = b"x" * 1000
    book >> long + b"ping\n" << Send(b"pong\n")
    assert notes.take()[:2] == [("matched", long + b"ping", "ping", 1, 1000.0), ("played", Send(b"pong\n"))]
    book >> long + b"\n"
    assert [note for note in notes.take() if note[0] == "matched"] == [("matched", long, None, 2, 1000.0)]
