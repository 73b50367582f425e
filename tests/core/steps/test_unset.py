from answerback.core import steps
from answerback.core.steps import DeleteShared, DeleteVariable
from tests.core.steps.taking import taken


def test_unset_step_removes_a_variable() -> None:
    assert taken(steps.unset_variable("a")) == DeleteVariable("a")


def test_unset_step_removes_the_shared_variable_of_this_request() -> None:
    assert taken(steps.delete_shared(lambda context: b"<" + context.request)) == DeleteShared(b"<said")
