"""`hang`: a connection falls silent and stays open."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.faults.base import Reply, Strike, within
from answerback.core.steps import Hold, Outcome


@dataclass(frozen=True, slots=True)
class Hang:
    """Takes so many seconds of the reply, then sends nothing more and holds the connection."""

    after: float
    ignore_fin: bool = False

    def touches(self, outcome: Outcome) -> bool:  # noqa: ARG002 - whatever it is
        """See `Effect.touches`."""
        return True

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:  # noqa: ARG002 - nothing is left to chance
        """See `Effect.on`."""
        yield from within(reply, self.after)
        yield Hold(self.ignore_fin)
