from types import GeneratorType
from typing import cast

import pytest

from answerback.core import steps
from answerback.core.actions import CloseReason, HalfClose, Send
from answerback.core.context import RequestContext
from answerback.core.framing import Fixed, Line
from answerback.core.steps import (
    END_BY_RESET,
    END_IN_ORDER,
    EnterState,
    Hang,
    Receive,
    SetFraming,
    SetVariable,
    Step,
    StepResult,
    Wait,
)
from tests.core.plans import size, template


class Said:
    """What a step looks at."""

    request = b"said"
    state = ""

    def __init__(self) -> None:
        self.variables: dict[str, bytes] = {}


def taken(step: Step, turn: Said | None = None) -> StepResult:
    return step(cast(RequestContext, turn or Said())) if callable(step) else step


def pieces_of(step: Step) -> list[Send | Wait]:
    result = taken(step)
    assert isinstance(result, GeneratorType)
    return list(result)


def test_send_step_sends_constant_or_template() -> None:
    assert taken(steps.send(b"hi")) == Send(b"hi")
    assert taken(steps.send(template("<${request}>"))) == Send(b"<said>")


def test_echo_step_sends_the_request() -> None:
    assert taken(steps.echo()) == Send(b"said")


def test_discard_step_sends_nothing() -> None:
    assert taken(steps.discard()) is None


def test_delay_step_waits() -> None:
    assert taken(steps.delay_fixed(0.25)) == Wait(0.25)


def test_close_step_ends_in_order() -> None:
    assert taken(steps.close()) is END_IN_ORDER


def test_reset_step_ends_by_reset() -> None:
    assert taken(steps.reset()) is END_BY_RESET


def test_half_close_step_closes_the_sending_half() -> None:
    assert taken(steps.half_close()) == HalfClose()


def test_hang_step_holds_with_or_without_ignoring_fin() -> None:
    assert taken(steps.hang()) == Hang(ignore_fin=False)
    assert taken(steps.hang(ignore_fin=True)) == Hang(ignore_fin=True)


def test_state_step_enters_the_state() -> None:
    assert taken(steps.state("in")) == EnterState("in")


def test_set_step_sets_a_variable() -> None:
    assert taken(steps.set_variable("a", b"1")) == SetVariable("a", b"1")
    assert taken(steps.set_variable("b", template("${request}!"))) == SetVariable("b", b"said!")


@pytest.mark.parametrize(
    "chunks,size,pieces",
    [(3, 0, [b"abc", b"de", b"fg"]), (1, 0, [b"abcdefg"]), (9, 0, list(b"abcdefg")), (0, 3, [b"abc", b"def", b"g"])],
)
def test_dribble_step_sends_pieces_with_gaps(chunks: int, size: int, pieces: list[bytes | int]) -> None:
    wanted: list[Send | Wait] = []
    for piece in pieces:
        wanted += [Wait(0.1), Send(piece if isinstance(piece, bytes) else bytes((piece,)))]
    assert pieces_of(steps.dribble(b"abcdefg", chunks=chunks, size=size, gap=0.1)) == wanted[1:]
    assert pieces_of(steps.dribble(template("abc${unhex('64')}efg"), chunks=chunks, size=size, gap=0.1)) == wanted[1:]


def test_dribble_step_of_empty_payload_sends_nothing() -> None:
    assert pieces_of(steps.dribble(b"", chunks=3, gap=1)) == []
    assert pieces_of(steps.dribble(template("${vars.none}"), size=3, gap=1)) == []


def test_set_framing_step_switches_the_framing() -> None:
    assert taken(steps.set_framing(Line(keep_ending=False))) == SetFraming(Line(keep_ending=False))


@pytest.mark.parametrize(
    "text,result",
    [
        ("3", SetFraming(Fixed(3), once=True)),
        ("0", SetFraming(None, once=True)),
        ("int(request)", steps.END_AS_MALFORMED),
        ("-len(request)", steps.END_AS_MALFORMED),
    ],
)
def test_set_framing_step_with_size_from_switches_or_ends(text: str, result: StepResult) -> None:
    assert taken(steps.set_framing_of_size(size(text))) == result
    assert steps.END_AS_MALFORMED.reason == CloseReason.MALFORMED_REQUEST


def test_receive_step_takes_a_frame_into_a_variable() -> None:
    assert taken(steps.receive(Line(keep_ending=False), "a")) == Receive(Line(keep_ending=False), "a")


def test_receive_step_with_size_from_takes_or_ends() -> None:
    assert taken(steps.receive_of_size(size("3"), "a")) == Receive(Fixed(3), "a")
    assert taken(steps.receive_of_size(size("0"), "a")) == SetVariable("a", b"")
    assert taken(steps.receive_of_size(size("0"), "")) is None
    assert taken(steps.receive_of_size(size("int(vars.x)"), "a")) == steps.END_AS_MALFORMED


def test_constant_steps_are_computed_once_not_for_each_request() -> None:
    fixed = [steps.send(b"hi"), steps.delay_fixed(1), steps.close(), steps.reset()]
    assert not any(map(callable, fixed))
    assert callable(steps.echo())
