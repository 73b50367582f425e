"""`slow_close`: a connection is closed late."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.delays import Delay
from answerback.core.faults.base import Reply, Strike
from answerback.core.steps import End, Outcome, Wait


@dataclass(frozen=True, slots=True)
class SlowClose:
    """Waits before the FIN of a close in order."""

    delay: Delay

    def touches(self, outcome: Outcome) -> bool:
        """See `Effect.touches`."""
        return isinstance(outcome, End) and not outcome.by_reset

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:
        """See `Effect.on`."""
        yield Wait(self.delay.draw(strike.chance))
        yield from reply
