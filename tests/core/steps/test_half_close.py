from answerback.core import steps
from answerback.core.actions import HalfClose
from tests.core.steps.taking import taken


def test_half_close_step_closes_the_sending_half() -> None:
    assert taken(steps.half_close()) == HalfClose()
