"""A rule of one constant reply and the end is answered without a script, and does what its script would."""

from dataclasses import replace

import pytest

from answerback.core import steps
from answerback.core.actions import Close, CloseReason, HalfClose, Send
from answerback.core.faults import Drop, Fault
from answerback.core.framing import Read
from answerback.core.plan import Event, ListenerPlan, Rule
from answerback.core.selection import Rules
from tests.core.plans import plan, rule, say
from tests.core.playbook import Happening, Playbook, connected, eof
from tests.core.session.test_observer import Watched
from tests.core.session.test_recording import Notes

BYE = rule(say(b"bye\n"), steps.close(), name="bye")


def on_both(bye: Rule) -> ListenerPlan:
    return plan(bye, on_connect=Rules((bye,)))


@pytest.mark.parametrize(
    "other",
    [
        rule(say(b"bye\n")),
        rule(say(b"bye\n"), steps.reset()),
        rule(say(b"bye\n"), say(b"bye\n"), steps.close()),
        rule(steps.echo(), steps.close()),
        rule(steps.close()),
        rule(say(b"bye\n"), steps.close(), say(b"never\n")),
        rule(say(b"bye\n"), steps.close(), times=1),
        replace(BYE, has_faults=True),
    ],
)
def test_other_rules_are_answered_by_their_script(other: Rule) -> None:
    assert BYE.last_reply == Send(b"bye\n")
    assert other.last_reply is None


@pytest.mark.parametrize(
    "event, report",
    [(connected, ("event", Event.CONNECT, "bye", 1000.0)), (b"hi\n", ("matched", b"hi", "bye", 1, 1000.0))],
)
def test_reply_and_the_end_are_recorded(event: Happening | bytes, report: tuple[object, ...]) -> None:
    book = Playbook(on_both(BYE))
    book.session.recorder = notes = Notes()
    book >> event << Send(b"bye\n") << HalfClose()
    assert notes.take()[:2] == [report, ("played", Send(b"bye\n"), HalfClose())]
    book >> eof << Close(CloseReason.SERVER_CLOSE)


def test_second_reply_in_a_read_is_recorded_alone() -> None:
    book = Playbook(plan(rule(say(b"a"), when=b"a", name="a"), BYE))
    book.session.recorder = notes = Notes()
    book >> b"a\nb\n" << Send(b"abye\n") << HalfClose()
    assert notes.take()[2] == ("played", Send(b"bye\n"), HalfClose())


def test_observer_sees_the_steps() -> None:
    watched = Watched(on_both(BYE))
    watched.receives(b"hi\n")
    assert watched.told("step", "sent") == [
        ("step", Send(b"bye\n")),
        ("sent", b"bye\n"),
        ("step", steps.END_IN_ORDER),
    ]


def test_nothing_is_sent_behind_our_fin() -> None:
    book = Playbook(plan(rule(steps.half_close()), on_eof=Rules((BYE,))))
    book >> b"half\n" << HalfClose()
    book >> eof << Close(CloseReason.SERVER_CLOSE)


def test_requests_behind_it_are_not_answered() -> None:
    book = Playbook(plan(BYE, framing=Read(1))) >> b"xy" << Send(b"bye\n") << HalfClose()
    assert book.account.rules == [0]


def test_faults_take_the_reply() -> None:
    faulty = replace(on_both(replace(BYE, has_faults=True)), faults=(Fault("drops", 9, Drop()),))
    for event in (connected, b"hi\n"):
        Playbook(faulty) >> event << HalfClose()
