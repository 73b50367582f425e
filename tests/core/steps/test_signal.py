from answerback.core import steps
from answerback.core.steps import GiveSignal
from tests.core.steps.taking import taken


def test_signal_step_gives_the_signal() -> None:
    assert taken(steps.signal("go")) == GiveSignal("go")
