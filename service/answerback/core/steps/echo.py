"""The step `echo`."""

from answerback.core.actions import Send
from answerback.core.steps.base import Step


def echo() -> Step:
    """Send the request, as rules see it."""
    return lambda context: Send(context.request)
