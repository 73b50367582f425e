"""The transcript: the events of a simulation, in order."""

from dataclasses import dataclass, field, replace
from typing import Final

from answerback.core.actions import CloseReason
from answerback.explain.events import Closed, Discarded, Evaluated, Event, Forwarded, Incomplete, Sent

MOST_EVENTS: Final = 10_000  # max. events: a longer transcript would not be read

# A conversation that ends for these reasons counts as failed.
ERRORS: Final = frozenset(
    {
        CloseReason.REQUEST_TIMEOUT,
        CloseReason.REQUEST_TOO_LARGE,
        CloseReason.REPLY_TOO_LARGE,
        CloseReason.REPLY_FAILED,
        CloseReason.MALFORMED_REQUEST,
        CloseReason.UNEXPECTED,
    }
)


class Enough(Exception):
    """The transcript has reached its maximum length."""


@dataclass
class Transcript:
    """The events of the connections, in order."""

    listener: str
    events: list[Event] = field(default_factory=list)
    cut_short: bool = False
    """Whether there were more than MOST_EVENTS."""

    def add(self, event: Event) -> None:
        """Append an event. Consecutive bytes sent at the same time become one event. Raises Enough."""
        last = self.events[-1] if self.events else None
        if isinstance(event, Sent) and isinstance(last, Sent) and last.at == event.at:
            self.events[-1] = replace(last, data=last.data + event.data)
            return
        if len(self.events) == MOST_EVENTS:
            self.cut_short = True
            raise Enough
        self.events.append(event)

    @property
    def answered(self) -> bool:
        """Whether each request was answered or forwarded, nothing was left over, and there was no error at the end."""
        return not any(map(_wrong, self.events, [*self.events[1:], None]))


def _wrong(event: Event, following: Event | None) -> bool:
    match event:
        case Evaluated(event="REQUEST", rule=None):
            return not isinstance(following, Forwarded)
        case Incomplete() | Discarded():
            return True
        case Closed(reason=reason):
            return reason in {error.label for error in ERRORS}
    return False
