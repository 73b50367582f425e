"""The step `start_tls`."""

from answerback.core.steps.base import StartTls, Step


def start_tls() -> Step:
    """Begin TLS."""
    return StartTls()
