from answerback.core import steps
from answerback.core.actions import Send
from tests.core.steps.taking import taken


def test_echo_step_sends_the_request() -> None:
    assert taken(steps.echo()) == Send(b"said")
