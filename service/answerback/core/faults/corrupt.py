"""`corrupt`: a reply contains wrong bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import StepResult


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Changes this many bytes of a reply, at random places of the first bytes sent; all of them if there are fewer."""

    count: int

    def applies_to(self, result: StepResult) -> bool:
        """Bytes."""
        return sends(result)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:
        """Change the bytes."""
        chance, left = state.chance, self.count
        for result in reply:
            if not left or not sends(result):
                yield result
                continue
            data = bytearray(result.data)
            places = chance.sample(range(len(data)), min(left, len(data)))
            for place in places:
                data[place] ^= chance.randint(1, 255)
            left -= len(places)
            yield Send(bytes(data))
