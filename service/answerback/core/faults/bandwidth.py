"""`bandwidth`: a reply comes slowly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import Send
from answerback.core.faults.base import Reply, Strike, sends
from answerback.core.steps import Outcome, Wait

PIECE_SECONDS: Final = 0.1  # the bytes of so long a time come together: a timer is late by 1 or 2 % of it


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Sends nothing before a line of so many bytes per second would have carried it."""

    bytes_per_second: int

    def touches(self, outcome: Outcome) -> bool:
        """See `Effect.touches`."""
        return sends(outcome)

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:  # noqa: ARG002 - nothing is left to chance
        """See `Effect.on`."""
        rate = self.bytes_per_second
        size = max(1, int(rate * PIECE_SECONDS))
        for outcome in reply:
            if not sends(outcome):
                yield outcome
                continue
            data = outcome.data
            for at in range(0, len(data), size):
                piece = data[at : at + size]
                yield Wait(len(piece) / rate)
                yield Send(piece)
