"""What all faults share."""

from collections.abc import Generator, Iterator
from random import Random
from typing import Protocol, TypeGuard

from answerback.core.actions import Send
from answerback.core.steps import Hold, Outcome, Wait

Reply = Iterator[Outcome]
"""What a script comes to, made while it is taken. It begins with a None, where a fault can strike before all else."""


class Strike:
    """What a fault may look at while it strikes: kept for one reply, or for the connection if its scope is that."""

    __slots__ = ("chance", "sent")

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.sent = 0  # bytes of replies that `truncate` has let through


class Effect(Protocol):
    """What a fault does to a reply that it strikes."""

    def touches(self, outcome: Outcome) -> bool:
        """Whether this is something that it changes: at the first of these in a reply, it is settled if it strikes."""

    def on(self, reply: Reply, strike: Strike) -> Reply:
        """The reply as it comes out, from what it touches on."""


def sends(outcome: Outcome) -> TypeGuard[Send]:
    """Whether bytes are sent."""
    return isinstance(outcome, Send) and bool(outcome.data)


def within(reply: Reply, seconds: float) -> Generator[Outcome, None, float]:
    """As much of the reply as is taken in so long a time, by its own waits; returns what is left of that time."""
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
