"""`truncate`: a reply ends before its end."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import Reply, Strike, sends
from answerback.core.steps import END_BY_RESET, END_IN_ORDER, Outcome


@dataclass(frozen=True, slots=True)
class Truncate:
    """Lets so many bytes through, then ends the connection: by FIN, or by RST."""

    size: int
    by_reset: bool

    def touches(self, outcome: Outcome) -> bool:
        """See `Effect.touches`."""
        return sends(outcome)

    def on(self, reply: Reply, strike: Strike) -> Iterator[Outcome]:
        """See `Effect.on`."""
        for outcome in reply:
            if not sends(outcome):
                yield outcome
                continue
            through = outcome.data[: self.size - strike.sent]
            strike.sent += len(through)
            if through:
                yield Send(through)
            if strike.sent >= self.size:
                yield END_BY_RESET if self.by_reset else END_IN_ORDER
                return
