"""The step `hang`."""

from answerback.core.steps.base import Hang, Step


def hang(*, ignore_fin: bool = False) -> Step:
    """Send nothing more, and do not close before the peer does or the lifetime ends."""
    return Hang(ignore_fin)
