"""`slow_close`: a connection is closed late."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.delays import Delay
from answerback.core.faults.base import FaultState, Reply
from answerback.core.steps import End, Outcome, Wait


@dataclass(frozen=True, slots=True)
class SlowClose:
    """Waits before the FIN of an orderly close."""

    delay: Delay

    def applies_to(self, outcome: Outcome) -> bool:
        """An orderly close."""
        return isinstance(outcome, End) and not outcome.by_reset

    def on(self, reply: Reply, strike: FaultState) -> Iterator[Outcome]:
        """Wait, then pass on the close."""
        yield Wait(self.delay.draw(strike.chance))
        yield from reply
