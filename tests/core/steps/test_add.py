from answerback.core import steps
from answerback.core.steps import AddShared
from tests.core.steps.taking import taken


def test_add_step_adds_a_number_of_this_request_to_a_shared_variable() -> None:
    step = steps.add_shared(lambda context: context.request[:2], lambda context: len(context.request), "sum")
    assert taken(step) == AddShared(b"sa", 4, "sum")
