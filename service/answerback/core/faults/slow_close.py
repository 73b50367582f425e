"""`slow_close`: a connection is closed late."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.delays import Delay
from answerback.core.faults.base import FaultState, Reply
from answerback.core.steps import EndSession, StepResult, Wait


@dataclass(frozen=True, slots=True)
class SlowClose:
    """Waits before the FIN of an orderly close."""

    delay: Delay

    def applies_to(self, result: StepResult) -> bool:
        """An orderly close."""
        return isinstance(result, EndSession) and not result.by_reset

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:
        """Wait, then pass on the close."""
        yield Wait(self.delay.draw(state.chance))
        yield from reply
