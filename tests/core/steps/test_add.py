from answerback.core import steps
from answerback.core.expressions import Type
from answerback.core.steps import AddShared
from tests.core.plans import expression
from tests.core.steps.taking import taken


def test_add_step_adds_a_number_of_this_request_to_a_shared_variable() -> None:
    step = steps.add_shared(expression("request[0:2]"), expression("len(request)", Type.INT), "sum")
    assert taken(step) == AddShared(b"sa", 4, "sum")
    assert taken(steps.add_shared(expression("'visits'"), expression("len(request)", Type.INT), "")) == AddShared(
        b"visits", 4
    )


def test_add_step_of_constants_has_its_result_when_it_is_compiled() -> None:
    assert steps.add_shared(expression("'visits'"), expression("1", Type.INT), "sum") == AddShared(b"visits", 1, "sum")
