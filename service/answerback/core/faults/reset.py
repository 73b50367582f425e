"""`reset`: a connection is reset while it is answered."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import Reply, Strike, within
from answerback.core.steps import END_BY_RESET, Outcome, Wait


@dataclass(frozen=True, slots=True)
class Reset:
    """Resets the connection so many seconds after the reply began, whether that is whole by then or not."""

    after: float

    def touches(self, outcome: Outcome) -> bool:  # noqa: ARG002 - whatever it is
        """See `Effect.touches`."""
        return True

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:  # noqa: ARG002 - nothing is left to chance
        """See `Effect.on`."""
        left = yield from within(reply, self.after)
        if left:
            yield Wait(left)
        yield END_BY_RESET
