"""The step `close`."""

from answerback.core.steps.base import END_IN_ORDER, Step


def close() -> Step:
    """Close the connection in order."""
    return END_IN_ORDER
