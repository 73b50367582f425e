"""`bandwidth`: a reply is sent at a limited rate."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import Send
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import StepResult, Wait

PIECE_SECONDS: Final = 0.1  # bytes due within this time are sent together: a timer is late by 1 or 2 % of it


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Delays each part of a reply until a line of this many bytes per second would have carried it."""

    bytes_per_second: int

    def applies_to(self, result: StepResult) -> bool:
        """Bytes."""
        return sends(result)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:  # noqa: ARG002 - nothing is left to chance
        """Split the bytes and wait between the parts."""
        rate = self.bytes_per_second
        size = max(1, int(rate * PIECE_SECONDS))
        for result in reply:
            if not sends(result):
                yield result
                continue
            data = result.data
            for at in range(0, len(data), size):
                piece = data[at : at + size]
                yield Wait(len(piece) / rate)
                yield Send(piece)
