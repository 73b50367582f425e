from answerback.core import steps
from answerback.core.steps import END_BY_RESET
from tests.core.steps.taking import taken


def test_reset_step_ends_by_reset() -> None:
    assert taken(steps.reset()) is END_BY_RESET
