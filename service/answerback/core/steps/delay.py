"""The step `delay`."""

from answerback.core.delays import Delay
from answerback.core.steps.base import Step, Wait


def delay_fixed(seconds: float) -> Step:
    """Wait for this many seconds."""
    return Wait(seconds)


def delay_drawn(delay: Delay) -> Step:
    """Wait for a time drawn from a distribution, each time a new one."""
    draw = delay.draw
    return lambda context: Wait(draw(context.chance))
