"""`hang`: a connection stops responding and stays open."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core import steps
from answerback.core.faults.base import FaultState, Reply, take_for
from answerback.core.steps import StepResult


@dataclass(frozen=True, slots=True)
class Hang:
    """Sends the first `after` seconds of a reply, then nothing more, and keeps the connection open."""

    after: float
    ignore_fin: bool = False

    def applies_to(self, result: StepResult) -> bool:  # noqa: ARG002 - whatever it is
        """Everything."""
        return True

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:  # noqa: ARG002 - nothing is left to chance
        """Pass on the beginning, then hang."""
        yield from take_for(reply, self.after)
        yield steps.Hang(self.ignore_fin)
