"""What the calls of JournalService return."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from answerback.client.values.conversion import plain
from answerback.v1 import journal_service_pb2


@plain(journal_service_pb2.Body)
@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The bytes of a request or a reply."""

    data: bytes
    """The first bytes: as many as the journal keeps."""
    size: int
    """The full size."""
    truncated: bool


@plain(journal_service_pb2.Exchange)
@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its reply."""

    id: str
    time: datetime | None
    """When the request was complete."""
    listener: str
    worker: int
    connection: str
    """The id of the connection."""
    number: int
    """The number of the request on its connection, from 1."""
    peer: str
    request: Body
    rule: str
    """The rule that matched; empty if none did."""
    mismatch: str
    """Why the nearest rule did not match, if none did and it was worked out."""
    reply: Body
    faults: tuple[str, ...]
    injected_delay: timedelta | None
    """How long steps and faults waited."""
    own_time: timedelta | None
    """The time until the reply was sent, without the injected delay and the upstream's time; None while in progress."""
    state: str
    """`IN_PROGRESS`, `DONE` or `ABANDONED`."""
    forwarded: bool
    """Whether the request was passed on to the upstream."""
    upstream_time: timedelta | None
    """How long the upstream took to reply; None before that, and if its replies are not framed."""


@plain(journal_service_pb2.Nearest)
@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """An exchange that does not match, and why."""

    exchange: Exchange
    why: str


@plain(journal_service_pb2.Missing)
@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """The exchanges of a listener and a worker that the journal has dropped."""

    worker: int
    listener: str
    reason: str
    """`evicted`, `cleared`, `disabled` or `worker_lost`."""
    exchanges: int
    newest: datetime | None


@plain(journal_service_pb2.WaitForExchangesResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """The result of waiting for exchanges."""

    fulfilled: bool
    found: int
    exchanges: tuple[Exchange, ...]
    """The exchanges that match, oldest first; at most 100."""
    nearest: tuple[Nearest, ...]
    """If it was not fulfilled: exchanges that nearly match."""


@plain(journal_service_pb2.VerifyExchangesResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether an expectation holds."""

    outcome: str
    """`HOLDS`, `FAILS`, or `UNKNOWN`: then `missing` says what the journal has dropped."""
    text: str
    """What was expected and what was found."""
    found: int
    exchanges: tuple[Exchange, ...]
    nearest: tuple[Nearest, ...]
    missing: tuple[Missing, ...]
    unused_rules: tuple[str, ...]


@plain(journal_service_pb2.Answered)
@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A rule answered an event that is not a request."""

    event: str
    rule: str
    reply: Body | None


@plain(journal_service_pb2.ConnectionEnd)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEnd:
    """A connection was closed."""

    reason: str
    by: str
    """`client`, `server`, or `none` if it broke."""
    reset: bool
    received_bytes: int
    sent_bytes: int
    duration: timedelta | None
    requests: int


@plain(journal_service_pb2.JournalEvent)
@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEvent:
    """An answer to an event, or the end of a connection: one of `answered` and `closed` is set."""

    time: datetime | None
    listener: str
    worker: int
    connection: str
    peer: str
    answered: Answered | None
    closed: ConnectionEnd | None


@plain(journal_service_pb2.WatchExchangesResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a watch of exchanges received: an exchange, an event, or how many were lost because it was too slow."""

    exchange: Exchange | None
    event: JournalEvent | None
    lost: int
    started: bool
    """The watch has begun: everything from now on is sent."""


@plain(journal_service_pb2.CreateMarkResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment, for `since`."""

    mark: str
    time: datetime | None
