"""The step `send`."""

from answerback.core.actions import Send
from answerback.core.expressions import Template
from answerback.core.steps.base import Step


def send(payload: bytes | memoryview | Template) -> Step:
    """Send these bytes, or the rendered template."""
    if isinstance(payload, bytes | memoryview):
        return Send(payload)
    render = payload.render
    return lambda context: Send(render(context))
