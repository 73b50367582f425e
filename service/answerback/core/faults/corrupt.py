"""`corrupt`: a reply has wrong bytes in it."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import Reply, Strike, sends
from answerback.core.steps import Outcome


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Changes so many bytes of a reply, at random places of what is sent first; all of them, if it has no more."""

    count: int

    def touches(self, outcome: Outcome) -> bool:
        """See `Effect.touches`."""
        return sends(outcome)

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:
        """See `Effect.on`."""
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
