from answerback.core import steps
from answerback.core.steps import DeleteShared, DeleteVariable
from tests.core.plans import expression
from tests.core.steps.taking import taken


def test_unset_step_removes_a_variable() -> None:
    assert taken(steps.unset_variable("a")) == DeleteVariable("a")


def test_unset_step_removes_the_shared_variable_of_this_request() -> None:
    assert taken(steps.delete_shared(expression("'<' + request"))) == DeleteShared(b"<said")


def test_unset_step_of_a_constant_has_its_result_when_it_is_compiled() -> None:
    assert steps.delete_shared(expression("'k'")) == DeleteShared(b"k")
