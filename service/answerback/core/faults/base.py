"""The interface of a fault's effect."""

from collections.abc import Generator, Iterator
from random import Random
from typing import Protocol, TypeGuard

from answerback.core.actions import Send
from answerback.core.steps import Hold, Outcome, Wait

Reply = Iterator[Outcome]
"""A reply as a lazy iterator of step results. It begins with None, so that a fault can apply before anything else."""


class FaultState:
    """The state of a fault that applies: for one reply, or for the connection if its scope is CONNECTION."""

    __slots__ = ("chance", "sent")

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.sent = 0  # bytes that `truncate` has already sent


class Effect(Protocol):
    """How a fault changes a reply."""

    def applies_to(self, outcome: Outcome) -> bool:
        """Whether the effect can change this step result. At the first such result the fault is decided."""

    def on(self, reply: Reply, strike: FaultState) -> Reply:
        """Transform a reply, which begins with the first step result that the effect applies to."""


def sends(outcome: Outcome) -> TypeGuard[Send]:
    """Whether the step result is bytes to send."""
    return isinstance(outcome, Send) and bool(outcome.data)


def within(reply: Reply, seconds: float) -> Generator[Outcome, None, float]:
    """Pass on the reply's results that fall, by its own waits, within `seconds`; returns the seconds left."""
    left = seconds
    if left <= 0:
        return 0.0
    for outcome in reply:
        if isinstance(outcome, Hold):
            break
        if isinstance(outcome, Wait):
            if outcome.seconds >= left:
                yield Wait(left)
                return 0.0
            left -= outcome.seconds
        yield outcome
    return left
