"""The step `half_close`."""

from answerback.core.actions import HalfClose
from answerback.core.steps.base import Step


def half_close() -> Step:
    """Send FIN and keep reading; nothing can be sent after it."""
    return HalfClose()
