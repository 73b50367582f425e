"""`slice`: a reply is sent in pieces."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import StepResult, Wait


@dataclass(frozen=True, slots=True)
class Slice:
    """Cuts a reply into pieces of `size` bytes, randomly up to `variation` more or less, with a gap between them."""

    size: int
    variation: int
    gap: float

    def applies_to(self, result: StepResult) -> bool:
        """Bytes."""
        return sends(result)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:
        """Cut the bytes and wait between the pieces."""
        least, most = self.size - self.variation, self.size + self.variation
        begun = False
        for result in reply:
            if not sends(result):
                yield result
                continue
            data, at = result.data, 0
            while at < len(data):
                if begun:
                    yield Wait(self.gap)
                begun = True
                end = at + (state.chance.randint(least, most) if self.variation else self.size)
                yield Send(data[at:end])
                at = end
