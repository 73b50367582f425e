from answerback.core import steps
from answerback.core.steps import PutShared, SetVariable
from tests.core.plans import expression, template
from tests.core.steps.taking import taken


def test_set_step_sets_a_variable() -> None:
    assert taken(steps.set_variable("a", b"1")) == SetVariable("a", b"1")
    assert taken(steps.set_variable("b", template("${request}!"))) == SetVariable("b", b"said!")


def test_set_step_stores_a_constant_or_template_in_a_shared_variable() -> None:
    assert taken(steps.put_shared(expression("request"), b"1")) == PutShared(b"said", b"1")
    assert taken(steps.put_shared(expression("'k'"), template("${request}!"))) == PutShared(b"k", b"said!")


def test_set_step_of_constants_has_its_result_when_it_is_compiled() -> None:
    assert steps.put_shared(expression("'k'"), b"1") == PutShared(b"k", b"1")
