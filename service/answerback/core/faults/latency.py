"""`latency`: a reply comes late."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import HalfClose
from answerback.core.delays import Delay
from answerback.core.faults.base import Reply, Strike, sends
from answerback.core.steps import End, Outcome, Wait


@dataclass(frozen=True, slots=True)
class Latency:
    """Waits before the first thing that the peer can notice: bytes, FIN or RST."""

    delay: Delay

    def touches(self, outcome: Outcome) -> bool:
        """See `Effect.touches`."""
        return sends(outcome) or isinstance(outcome, HalfClose | End)

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:
        """See `Effect.on`."""
        yield Wait(self.delay.draw(strike.chance))
        yield from reply
