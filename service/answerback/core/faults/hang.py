"""`hang`: a connection stops responding and stays open."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import FaultState, Reply, within
from answerback.core.steps import Hold, Outcome


@dataclass(frozen=True, slots=True)
class Hang:
    """Sends the first `after` seconds of a reply, then nothing more, and keeps the connection open."""

    after: float
    ignore_fin: bool = False

    def applies_to(self, outcome: Outcome) -> bool:  # noqa: ARG002 - whatever it is
        """Everything."""
        return True

    def on(self, reply: Reply, strike: FaultState) -> Iterator[Outcome]:  # noqa: ARG002 - nothing is left to chance
        """Pass on the beginning, then hang."""
        yield from within(reply, self.after)
        yield Hold(self.ignore_fin)
