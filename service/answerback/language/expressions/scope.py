"""The names that the expressions of a rule can use."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace

from answerback.core.expressions import Reads
from answerback.core.expressions.values import OF_REQUEST
from answerback.language.captures import NONE, Captures, united
from answerback.language.expressions.names import FramingField


def _accept(_pattern: str) -> None:
    """Any pattern will do: it has been checked."""


def _ignore() -> None:
    """Ignore the use of a name."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The names of one rule, at one place in it."""

    captures: Captures = NONE
    """The captures of the patterns that have matched."""
    frame_captures: bool = False
    """Whether some of them are of received frames, so that they exist on every event."""
    event: str | None = None
    """The word of an event that brings no request; None for a request."""
    of_reply: bool = False
    """Whether it is a rule on REPLY: it sees the upstream's reply, and the request that it answers."""
    fields: Mapping[str, FramingField] = field(default_factory=dict)
    """The names that the framings of the listener provide."""
    reply_fields: Mapping[str, FramingField] = field(default_factory=dict)
    """The names that the framing of the upstream provides, for rules on REPLY."""
    listener_fields: Container[str] = ()
    """The fields that the listener has: some provide names."""
    rule: str = ""
    """The name under which the rule is counted."""
    accept_pattern: Callable[[str], None] = _accept
    """Counts a pattern. Raises ValueError for one that is too large."""
    uses_connection_number: Callable[[], None] = _ignore
    """Called for each use of `connection.number`."""

    def behind_frame(self, captures: Captures) -> "Scope":
        """The scope after a received frame, whose condition has these captures."""
        if captures == NONE:
            return self
        return replace(self, captures=united([self.captures, captures]), frame_captures=True)

    def lacks(self, reads: Reads) -> bool:
        """Whether the event has nothing of what a value reads."""
        of_request = OF_REQUEST & ~Reads.CAPTURES if self.frame_captures else OF_REQUEST
        return self.event is not None and bool(reads & of_request)
