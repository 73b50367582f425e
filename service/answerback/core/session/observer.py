"""The interface through which a conversation is observed as it happens, such as by `answerback.explain`."""

from collections.abc import Sequence
from typing import Protocol

from answerback.core.actions import CloseReason
from answerback.core.context import RequestContext
from answerback.core.framing import Framing
from answerback.core.matching import Mismatch
from answerback.core.plan import Event, Rule
from answerback.core.steps import StepResult

# Rule: an observer changes nothing. It is called at the moment itself, in the order in which things happen.
# Rule: a session without an observer pays for it with a comparison, outside the path of a cached reply.


class Observer(Protocol):
    """What a session reports. Counts are reported to `session_metrics.SessionMetrics`."""

    def rule_selected(
        self, event: Event, rules: Sequence[Rule], request: bytes, rule: Rule | None, context: RequestContext
    ) -> None:
        """These rules on an event were searched: this one answers, or none. `request` is empty for other events."""

    def request_split(self, framing: Framing | None, framer: Framing | None) -> None:
        """The requests that follow are found under this framing, by its framer; None is a request of no bytes."""

    def step_taken(self, result: StepResult) -> None:
        """A step of the rule was taken, with this result; a fault may still change it."""

    def state_entered(self, state: str) -> None:
        """The connection has entered another state."""

    def variable_set(self, name: str, value: bytes) -> None:
        """A variable has another value than before."""

    def unexpected(self, frame: bytes, mismatch: Mismatch) -> None:
        """A frame that the script received is not what it expects; the conversation ends."""

    def sent(self, data: bytes | memoryview) -> None:
        """These bytes are sent."""

    def forwarded(self, data: bytes) -> None:
        """These bytes are passed on to the upstream."""

    def input_consumed(self) -> None:
        """The requests found so far were removed from the buffer."""

    def closing(self, reason: CloseReason, buffer: bytes) -> None:
        """The conversation ends. `buffer` was received since `input_consumed`, and what is no request is discarded."""

    def half_closed(self) -> None:
        """FIN is sent, and the peer may go on sending."""

    def closed(self, reason: CloseReason, *, by_reset: bool) -> None:
        """The connection is closed by this side: with RST, or after FIN in both directions."""
