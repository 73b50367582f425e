"""What a transcript is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final

from answerback.core.actions import CloseReason
from answerback.core.matching import Miss

# Rule: an event is frozen data; `at` is in seconds from the beginning of the connection.

MOST_EVENTS: Final = 10_000  # a transcript that nobody reads to its end

# A conversation that ends like this went wrong, whoever is to blame.
ERRORS: Final = frozenset(
    {
        CloseReason.REQUEST_TIMEOUT,
        CloseReason.REQUEST_TOO_LARGE,
        CloseReason.REPLY_TOO_LARGE,
        CloseReason.MALFORMED_REQUEST,
    }
)


@dataclass(frozen=True, slots=True)
class RuleName:
    """A rule: what it is counted under, and its place among the listener's, from 0."""

    name: str
    index: int

    def __str__(self) -> str:
        return _placed(f"rules[{self.index}]", self.name)


@dataclass(frozen=True, slots=True)
class FaultName:
    """A fault: what it is counted under, its place among the listener's, from 0, and what it does."""

    name: str
    index: int
    kind: str

    def __str__(self) -> str:
        return _placed(f"faults[{self.index}]", self.name)


def _placed(place: str, name: str) -> str:
    return place if name == place else f"{place} {name}"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A rule that was asked, and was not the one."""

    rule: RuleName
    miss: Miss
    nearest: bool = False
    """Whether it holds furthest into the request, of all that were passed over for their bytes."""


@dataclass(frozen=True, slots=True)
class Received:
    """The peer sends bytes."""

    type: ClassVar[str] = "received"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class ReceivedEof:
    """The peer closes its half."""

    type: ClassVar[str] = "received_eof"
    at: float


@dataclass(frozen=True, slots=True)
class AcceptMode:
    """The listener is not NORMAL, and so whoever connects meets this, and no conversation."""

    type: ClassVar[str] = "accept_mode"
    at: float
    accept: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """The peer sends bytes to a connection that listens no more."""

    type: ClassVar[str] = "discarded"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A request was framed, or another event came, and a rule was looked for."""

    type: ClassVar[str] = "evaluated"
    at: float
    event: str
    number: int
    """Of the request; 0 where the event is none."""
    request: bytes
    framing: str
    state: str
    rule: RuleName | None
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes are sent."""

    type: ClassVar[str] = "sent"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Waits:
    """The next step is taken so many seconds later."""

    type: ClassVar[str] = "waiting"
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Strikes:
    """A fault strikes the reply."""

    type: ClassVar[str] = "fault_applied"
    at: float
    fault: FaultName


@dataclass(frozen=True, slots=True)
class Holds:
    """Nothing more is said, and the connection stays open until the peer closes it."""

    type: ClassVar[str] = "hanging"
    at: float
    ignore_fin: bool = False
    """Whether it stays open although the peer closes its half."""


@dataclass(frozen=True, slots=True)
class Enters:
    """The connection is in another state."""

    type: ClassVar[str] = "state_entered"
    at: float
    state: str


@dataclass(frozen=True, slots=True)
class VariableSet:
    """A variable has a value."""

    type: ClassVar[str] = "variable_set"
    at: float
    name: str
    value: bytes


@dataclass(frozen=True, slots=True)
class FramingChanged:
    """What follows is cut under another framing."""

    type: ClassVar[str] = "framing_changed"
    at: float
    framing: str
    once: bool
    """Whether that is for one request."""


@dataclass(frozen=True, slots=True)
class Takes:
    """One more frame is read, into a variable."""

    type: ClassVar[str] = "receiving"
    at: float
    framing: str
    variable: str


@dataclass(frozen=True, slots=True)
class HalfCloses:
    """FIN is sent; what the peer says is not answered any more."""

    type: ClassVar[str] = "half_closed"
    at: float


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Bytes that are no request: yet, or any more."""

    type: ClassVar[str] = "incomplete"
    at: float
    data: bytes
    framing: str
    why: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is closed: in order (FIN), or reset (RST)."""

    type: ClassVar[str] = "closed"
    at: float
    reset: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Open:
    """Everything was said, nothing is in progress, and the connection stays as it is."""

    type: ClassVar[str] = "open"
    at: float
    state: str


Event = (
    Received
    | ReceivedEof
    | AcceptMode
    | Discarded
    | Evaluated
    | Sent
    | Waits
    | Strikes
    | Holds
    | Enters
    | VariableSet
    | FramingChanged
    | Takes
    | HalfCloses
    | Incomplete
    | Closed
    | Open
)


class Enough(Exception):
    """There are as many events as anybody reads."""


@dataclass
class Transcript:
    """What happened, in order."""

    listener: str
    events: list[Event] = field(default_factory=list)
    cut_short: bool = False
    """Whether there would have been more than MOST_EVENTS."""

    def add(self, event: Event) -> None:
        """It happened. Bytes sent one after another at the same time are one event. Raises Enough."""
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
        """Whether a rule matched each request, nothing was left, and the conversation did not end in an error."""
        return not any(map(_wrong, self.events))


def _wrong(event: Event) -> bool:
    match event:
        case Evaluated(event="REQUEST", rule=None) | Incomplete() | Discarded():
            return True
        case Closed(reason=reason):
            return reason in {error.label for error in ERRORS}
    return False


def mark_nearest(passed_over: Sequence[PassedOver]) -> tuple[PassedOver, ...]:
    """The same, with the one marked that holds furthest into the request, if any does at all."""
    near = max(passed_over, key=lambda each: each.miss.at or 0, default=None)
    if near is None or not near.miss.at:
        return tuple(passed_over)
    return tuple(replace(each, nearest=each is near) for each in passed_over)
