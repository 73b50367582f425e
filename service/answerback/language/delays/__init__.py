"""The kinds of delay: a file for each distribution; `base` is what they share."""

from answerback.language.delays.base import DELAYS, DelayKind, check_delay, compile_delay

__all__ = ["DELAYS", "DelayKind", "check_delay", "compile_delay"]

DELAYS.load(__name__, __path__)
