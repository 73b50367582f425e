"""`slice`: a reply comes in pieces."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import Reply, Strike, sends
from answerback.core.steps import Outcome, Wait


@dataclass(frozen=True, slots=True)
class Slice:
    """Cuts a reply into pieces of `size` bytes, by chance up to `variation` more or less, with a gap between them."""

    size: int
    variation: int
    gap: float

    def touches(self, outcome: Outcome) -> bool:
        """See `Effect.touches`."""
        return sends(outcome)

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:
        """See `Effect.on`."""
        least, most = self.size - self.variation, self.size + self.variation
        begun = False
        for outcome in reply:
            if not sends(outcome):
                yield outcome
                continue
            data, at = outcome.data, 0
            while at < len(data):
                if begun:
                    yield Wait(self.gap)
                begun = True
                end = at + (strike.chance.randint(least, most) if self.variation else self.size)
                yield Send(data[at:end])
                at = end
