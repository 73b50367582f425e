from answerback.core import steps
from answerback.core.steps import END_IN_ORDER
from tests.core.steps.taking import taken


def test_close_step_ends_in_order() -> None:
    assert taken(steps.close()) is END_IN_ORDER
