from answerback.core import steps
from answerback.core.steps import Wait
from tests.core.steps.taking import taken


def test_delay_step_waits() -> None:
    assert taken(steps.delay_fixed(0.25)) == Wait(0.25)
