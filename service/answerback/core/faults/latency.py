"""`latency`: a reply is delayed."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import HalfClose
from answerback.core.delays import Delay
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import EndSession, StepResult, Wait


@dataclass(frozen=True, slots=True)
class Latency:
    """Waits before the first thing that the peer can notice: bytes, FIN or RST."""

    delay: Delay

    def applies_to(self, result: StepResult) -> bool:
        """Bytes, FIN and RST."""
        return sends(result) or isinstance(result, HalfClose | EndSession)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:
        """Wait, then pass on the reply."""
        yield Wait(self.delay.draw(state.chance))
        yield from reply
