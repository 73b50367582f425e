from answerback.core import steps
from tests.core.steps.taking import taken


def test_discard_step_sends_nothing() -> None:
    assert taken(steps.discard()) is None
