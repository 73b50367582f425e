"""`drop`: the bytes of a reply are not sent."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import StepResult


@dataclass(frozen=True, slots=True)
class Drop:
    """Discards the bytes of a reply; waits and closes still happen."""

    def applies_to(self, result: StepResult) -> bool:
        """Bytes."""
        return sends(result)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:  # noqa: ARG002 - nothing is left to chance
        """Pass on everything but the bytes."""
        return (result for result in reply if not sends(result))
