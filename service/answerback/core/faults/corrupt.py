"""`corrupt`: a reply contains wrong bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import Outcome


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Changes this many bytes of a reply, at random places of the first bytes sent; all of them if there are fewer."""

    count: int

    def applies_to(self, outcome: Outcome) -> bool:
        """Bytes."""
        return sends(outcome)

    def on(self, reply: Reply, strike: FaultState) -> Iterator[Outcome]:
        """Change the bytes."""
        chance, left = strike.chance, self.count
        for outcome in reply:
            if not left or not sends(outcome):
                yield outcome
                continue
            data = bytearray(outcome.data)
            places = chance.sample(range(len(data)), min(left, len(data)))
            for place in places:
                data[place] ^= chance.randint(1, 255)
            left -= len(places)
            yield Send(bytes(data))
