"""What a rule does, one step after another.

A step that depends on the turn it is taken in (the request being answered, and its connection) is a function of it.
Any other step is its own outcome, made when it was compiled. An outcome is an action for the driver; or `Wait` or
`End` for the session; or None when there is nothing to do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from answerback.core.actions import Send

# Rule: one step, one function, one test.


class Turn(Protocol):
    """What a step may look at."""

    request: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Take the next step so many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """The conversation is over: close in order, or by reset. Later steps are not taken."""

    by_reset: bool


END_IN_ORDER: Final = End(by_reset=False)
END_BY_RESET: Final = End(by_reset=True)

Outcome = Send | Wait | End | None
Step = Send | Wait | End | Callable[[Turn], Outcome]


def send(data: bytes) -> Step:
    """Send these bytes."""
    return Send(data)


def echo() -> Step:
    """Send the request as rules see it."""
    return lambda turn: Send(turn.request)


def discard() -> Step:
    """Do nothing."""
    return lambda _turn: None


def delay_fixed(seconds: float) -> Step:
    """Wait for so long."""
    return Wait(seconds)


def close() -> Step:
    """Close in order."""
    return END_IN_ORDER


def reset() -> Step:
    """Reset the connection, once what was sent before has been handed to the kernel."""
    return END_BY_RESET
