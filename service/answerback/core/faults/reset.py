"""`reset`: a connection is reset during a reply."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import FaultState, Reply, sends, take_for
from answerback.core.steps import END_BY_RESET, StepResult, Wait


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets the connection `after` seconds after the reply began, complete or not."""

    after: float
    discard: bool = False
    """Whether the bytes until then are discarded."""

    def applies_to(self, result: StepResult) -> bool:  # noqa: ARG002 - whatever it is
        """Everything."""
        return True

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:  # noqa: ARG002 - nothing is left to chance
        """Pass on the beginning, then reset."""
        left = yield from take_for((each for each in reply if not sends(each)) if self.discard else reply, self.after)
        if left:
            yield Wait(left)
        yield END_BY_RESET
