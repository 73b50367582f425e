"""The events of a transcript."""

from dataclasses import dataclass
from typing import ClassVar

from answerback.core.matching import Mismatch
from answerback.explain.names import FaultName, PassedOver, RuleName

# Rule: an event is frozen data; `at` is in seconds from the beginning of the connection.


@dataclass(frozen=True, slots=True)
class Received:
    """The peer sends bytes."""

    type: ClassVar[str] = "received"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Connected:
    """The peer opens another connection, which the events after this belong to."""

    type: ClassVar[str] = "connected"
    at: float
    number: int
    """Of the connection, from 1; the first one has no such event."""
    peer: str = ""
    """The client's address, if it is another one than that of the connection before."""


@dataclass(frozen=True, slots=True)
class TurnedTo:
    """The events after this belong to another connection, opened before."""

    type: ClassVar[str] = "turned_to"
    at: float
    number: int


@dataclass(frozen=True, slots=True)
class ReceivedEof:
    """The peer closes its half."""

    type: ClassVar[str] = "received_eof"
    at: float


@dataclass(frozen=True, slots=True)
class AcceptMode:
    """The listener is not NORMAL: new connections are treated as `accept` says, without a conversation."""

    type: ClassVar[str] = "accept_mode"
    at: float
    accept: str


@dataclass(frozen=True, slots=True)
class Discarded:
    """The peer sends bytes to a connection that does not read any more."""

    type: ClassVar[str] = "discarded"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A request is passed on to the upstream, as it was received. What the upstream replies is unknown."""

    type: ClassVar[str] = "forwarded"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Replied:
    """The upstream sends bytes."""

    type: ClassVar[str] = "replied"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Owes:
    """The upstream has not replied to this number of forwarded requests."""

    type: ClassVar[str] = "owed"
    at: float
    replies: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A request was framed, or another event occurred, and rules were evaluated."""

    type: ClassVar[str] = "evaluated"
    at: float
    event: str
    number: int
    """The request's number; 0 for other events."""
    request: bytes
    """On REPLY the reply."""
    framing: str
    state: str
    rule: RuleName | None
    passed_over: tuple[PassedOver, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The session sends bytes."""

    type: ClassVar[str] = "sent"
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Waits:
    """The next step is taken this many seconds later."""

    type: ClassVar[str] = "waiting"
    at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Strikes:
    """A fault applies to the reply."""

    type: ClassVar[str] = "fault_applied"
    at: float
    fault: FaultName


@dataclass(frozen=True, slots=True)
class Holds:
    """Nothing more is sent, and the connection stays open until the peer closes it."""

    type: ClassVar[str] = "hanging"
    at: float
    ignore_fin: bool = False
    """Whether it stays open when the peer closes its half."""


@dataclass(frozen=True, slots=True)
class Enters:
    """The connection enters another state."""

    type: ClassVar[str] = "state_entered"
    at: float
    state: str


@dataclass(frozen=True, slots=True)
class VariableSet:
    """A variable is set."""

    type: ClassVar[str] = "variable_set"
    at: float
    name: str
    value: bytes


@dataclass(frozen=True, slots=True)
class FramingChanged:
    """Another framing applies from here on."""

    type: ClassVar[str] = "framing_changed"
    at: float
    framing: str
    once: bool
    """Whether it applies to one request only."""


@dataclass(frozen=True, slots=True)
class Takes:
    """One more frame is read, and stored in a variable."""

    type: ClassVar[str] = "receiving"
    at: float
    framing: str
    variable: str
    """Empty if it is not stored."""


@dataclass(frozen=True, slots=True)
class WaitsForSignal:
    """The script waits for a signal."""

    type: ClassVar[str] = "waits_for_signal"
    at: float
    signal: str
    timeout: float
    """In seconds."""


@dataclass(frozen=True, slots=True)
class GivesSignal:
    """The script gives a signal."""

    type: ClassVar[str] = "gives_signal"
    at: float
    signal: str


@dataclass(frozen=True, slots=True)
class BeginsTls:
    """TLS begins: what follows is what is inside."""

    type: ClassVar[str] = "tls_begun"
    at: float


@dataclass(frozen=True, slots=True)
class NotExpected:
    """The frame is not what the script expects: the connection is closed."""

    type: ClassVar[str] = "unexpected"
    at: float
    data: bytes
    miss: Mismatch


@dataclass(frozen=True, slots=True)
class HalfCloses:
    """FIN is sent; what the peer sends is not answered any more."""

    type: ClassVar[str] = "half_closed"
    at: float


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Bytes that are not a complete request."""

    type: ClassVar[str] = "incomplete"
    at: float
    data: bytes
    framing: str
    why: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is closed by FIN or RST."""

    type: ClassVar[str] = "closed"
    at: float
    reset: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Open:
    """All input was processed, nothing is in progress, and the connection stays open."""

    type: ClassVar[str] = "open"
    at: float
    state: str


Event = (
    Received
    | Connected
    | TurnedTo
    | ReceivedEof
    | AcceptMode
    | Discarded
    | Evaluated
    | Sent
    | Forwarded
    | Replied
    | Owes
    | Waits
    | Strikes
    | Holds
    | Enters
    | VariableSet
    | FramingChanged
    | Takes
    | WaitsForSignal
    | GivesSignal
    | BeginsTls
    | NotExpected
    | HalfCloses
    | Incomplete
    | Closed
    | Open
)
