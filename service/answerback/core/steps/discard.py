"""The step `discard`."""

from answerback.core.steps.base import Step


def discard() -> Step:
    """Do nothing."""
    return lambda _context: None
