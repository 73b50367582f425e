"""`drop`: a reply is not sent."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import Reply, Strike, sends
from answerback.core.steps import Outcome


@dataclass(frozen=True, slots=True)
class Drop:
    """Swallows the bytes of a reply; whatever else the reply does, it does."""

    def touches(self, outcome: Outcome) -> bool:
        """See `Effect.touches`."""
        return sends(outcome)

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:  # noqa: ARG002 - nothing is left to chance
        """See `Effect.on`."""
        return (outcome for outcome in reply if not sends(outcome))
