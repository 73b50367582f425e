"""`reset`: a connection is reset during a reply."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import FaultState, Reply, within
from answerback.core.steps import END_BY_RESET, Outcome, Wait


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets the connection `after` seconds after the reply began, complete or not."""

    after: float

    def applies_to(self, outcome: Outcome) -> bool:  # noqa: ARG002 - whatever it is
        """Everything."""
        return True

    def on(self, reply: Reply, strike: FaultState) -> Iterator[Outcome]:  # noqa: ARG002 - nothing is left to chance
        """Pass on the beginning, then reset."""
        left = yield from within(reply, self.after)
        if left:
            yield Wait(left)
        yield END_BY_RESET
