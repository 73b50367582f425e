"""`blackhole`: bytes disappear."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import END_IN_ORDER, EndSession, Hang, StepResult, Wait


@dataclass(frozen=True, slots=True)
class Blackhole:
    """Discards bytes, and closes the connection `close_after` seconds after the last of them; 0: does not close it."""

    close_after: float

    def applies_to(self, result: StepResult) -> bool:
        """Bytes."""
        return sends(result)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:  # noqa: ARG002 - nothing is left to chance
        """Pass on everything but the bytes, then close."""
        for result in reply:
            if sends(result):
                continue
            yield result
            if isinstance(result, EndSession | Hang):
                return
        if self.close_after:
            yield Wait(self.close_after)
            yield END_IN_ORDER
