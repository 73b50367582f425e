"""`truncate`: a reply is cut short."""

from collections.abc import Iterator
from dataclasses import dataclass

from answerback.core.actions import Send
from answerback.core.faults.base import FaultState, Reply, sends
from answerback.core.steps import END_BY_RESET, EndSession, StepResult

CUT = EndSession(by_reset=False, cut=True)


@dataclass(frozen=True, slots=True)
class Truncate:
    """Sends the first `size` bytes of a reply, then ends the connection by FIN or RST."""

    size: int
    by_reset: bool

    def applies_to(self, result: StepResult) -> bool:
        """Bytes."""
        return sends(result)

    def transform(self, reply: Reply, state: FaultState) -> Iterator[StepResult]:
        """Pass on the first bytes, then end."""
        for result in reply:
            if not sends(result):
                yield result
                continue
            through = result.data[: self.size - state.sent]
            state.sent += len(through)
            if through:
                yield Send(through)
            if state.sent >= self.size:
                yield END_BY_RESET if self.by_reset else CUT
                return
