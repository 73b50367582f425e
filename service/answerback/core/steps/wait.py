"""The step `wait`."""

from answerback.core.steps.base import AwaitSignal, Step


def wait(signal: str, timeout: float) -> Step:
    """Wait for a signal of this name, for at most `timeout` seconds."""
    return AwaitSignal(signal, timeout)
