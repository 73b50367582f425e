"""`drop`: the bytes of a reply are not sent."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import Outcome


@dataclass(frozen=True, slots=True)
class Drop:
    """Discards the bytes of a reply; waits and closes still happen."""

    def applies_to(self, outcome: Outcome) -> bool:
        """Bytes."""
        return sends(outcome)

    def on(self, reply: Reply, strike: FaultState) -> Iterator[Outcome]:  # noqa: ARG002 - nothing is left to chance
        """Pass on everything but the bytes."""
        return (outcome for outcome in reply if not sends(outcome))
