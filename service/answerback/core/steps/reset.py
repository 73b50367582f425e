"""The step `reset`."""

from answerback.core.steps.base import END_BY_RESET, Step


def reset() -> Step:
    """Reset the connection, once what was sent before has been handed to the kernel."""
    return END_BY_RESET
