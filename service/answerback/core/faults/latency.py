"""`latency`: a reply is delayed."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import HalfClose
from answerback.core.delays import Delay
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import End, Outcome, Wait


@dataclass(frozen=True, slots=True)
class Latency:
    """Waits before the first thing that the peer can notice: bytes, FIN or RST."""

    delay: Delay

    def applies_to(self, outcome: Outcome) -> bool:
        """Bytes, FIN and RST."""
        return sends(outcome) or isinstance(outcome, HalfClose | End)

    def on(self, reply: Reply, strike: FaultState) -> Iterator[Outcome]:
        """Wait, then pass on the reply."""
        yield Wait(self.delay.draw(strike.chance))
        yield from reply
