from answerback.core import steps
from answerback.core.actions import Send
from tests.core.plans import template
from tests.core.steps.taking import taken


def test_send_step_sends_constant_or_template() -> None:
    assert taken(steps.send(b"hi")) == Send(b"hi")
    assert taken(steps.send(template("<${request}>"))) == Send(b"<said>")
