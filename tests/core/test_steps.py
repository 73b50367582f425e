from answerback.core import steps
from answerback.core.actions import Send
from answerback.core.steps import END_BY_RESET, END_IN_ORDER, Outcome, Step, Wait


class Turn:
    """What a step looks at."""

    request = b"said"


def taken(step: Step) -> Outcome:
    return step(Turn()) if callable(step) else step


def test_send() -> None:
    assert taken(steps.send(b"hi")) == Send(b"hi")


def test_echo() -> None:
    assert taken(steps.echo()) == Send(b"said")


def test_discard() -> None:
    assert taken(steps.discard()) is None


def test_delay_fixed() -> None:
    assert taken(steps.delay_fixed(0.25)) == Wait(0.25)


def test_close() -> None:
    assert taken(steps.close()) is END_IN_ORDER


def test_reset() -> None:
    assert taken(steps.reset()) is END_BY_RESET


def test_only_what_depends_on_the_request_is_worked_out_for_each() -> None:
    fixed = [steps.send(b"hi"), steps.delay_fixed(1), steps.close(), steps.reset()]
    assert not any(map(callable, fixed))
    assert callable(steps.echo())
