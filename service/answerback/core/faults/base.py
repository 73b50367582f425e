"""The interface of a fault's effect."""

from collections.abc import Generator, Iterator
from random import Random
from typing import Protocol, TypeGuard

from answerback.core.actions import Send
from answerback.core.steps import Hang, StepResult, Wait

Reply = Iterator[StepResult]
"""A reply as a lazy iterator of step results. It begins with None, so that a fault can apply before anything else."""


class FaultState:
    """The state of a fault that applies: for one reply, or for the connection if it is decided once for that."""

    __slots__ = ("chance", "sent")

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.sent = 0  # bytes that `truncate` has already sent


class Effect(Protocol):
    """How a fault changes a reply."""

    def applies_to(self, result: StepResult) -> bool:
        """Whether the effect can change this step result. At the first such result the fault is decided."""

    def transform(self, reply: Reply, state: FaultState) -> Reply:
        """Transform a reply, which begins with the first step result that the effect applies to."""


def sends(result: StepResult) -> TypeGuard[Send]:
    """Whether the step result is bytes to send."""
    return isinstance(result, Send) and bool(result.data)


def take_for(reply: Reply, seconds: float) -> Generator[StepResult, None, float]:
    """Pass on the reply's results that fall, by its own waits, within `seconds`; returns the seconds left."""
    left = seconds
    if left <= 0:
        return 0.0
    for result in reply:
        if isinstance(result, Hang):
            break
        if isinstance(result, Wait):
            if result.seconds >= left:
                yield Wait(left)
                return 0.0
            left -= result.seconds
        yield result
    return left
