from answerback.core import steps
from answerback.core.framing import Fixed, Line
from answerback.core.steps import Receive, SetVariable
from tests.core.plans import size
from tests.core.steps.taking import taken


def test_receive_step_takes_a_frame_into_a_variable() -> None:
    assert taken(steps.receive(Line(keep_ending=False), "a")) == Receive(Line(keep_ending=False), "a")


def test_receive_step_with_size_from_takes_or_ends() -> None:
    assert taken(steps.receive_of_size(size("3"), "a")) == Receive(Fixed(3), "a")
    assert taken(steps.receive_of_size(size("0"), "a")) == SetVariable("a", b"")
    assert taken(steps.receive_of_size(size("0"), "")) is None
    assert taken(steps.receive_of_size(size("int(vars.x)"), "a")) == steps.END_AS_MALFORMED
