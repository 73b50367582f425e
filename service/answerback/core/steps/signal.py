"""The step `signal`."""

from answerback.core.steps.base import GiveSignal, Step


def signal(name: str) -> Step:
    """Give a signal: it ends the longest wait for it."""
    return GiveSignal(name)
