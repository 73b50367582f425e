from answerback.core import steps
from answerback.core.steps import AwaitSignal
from tests.core.steps.taking import taken


def test_wait_step_waits_for_the_signal() -> None:
    assert taken(steps.wait("go", 2.5)) == AwaitSignal("go", 2.5)
