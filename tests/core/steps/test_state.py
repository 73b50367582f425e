from answerback.core import steps
from answerback.core.steps import EnterState
from tests.core.steps.taking import taken


def test_state_step_enters_the_state() -> None:
    assert taken(steps.state("in")) == EnterState("in")
