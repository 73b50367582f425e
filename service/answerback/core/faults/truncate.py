"""`truncate`: a reply is cut short."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import END_BY_RESET, END_IN_ORDER, Outcome


@dataclass(frozen=True, slots=True)
class Truncate:
    """Sends the first `size` bytes of a reply, then ends the connection by FIN or RST."""

    size: int
    by_reset: bool

    def applies_to(self, outcome: Outcome) -> bool:
        """Bytes."""
        return sends(outcome)

    def on(self, reply: Reply, strike: FaultState) -> Iterator[Outcome]:
        """Pass on the first bytes, then end."""
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
