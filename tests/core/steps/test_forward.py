from answerback.core import steps
from tests.core.steps.taking import taken


def test_forward_step_is_the_same_for_every_request() -> None:
    assert taken(steps.forward()) is steps.forward() is steps.FORWARD
