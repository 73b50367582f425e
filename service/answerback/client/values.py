"""What calls return: plain values, and how the API's messages become them."""

# Rule: a class has the fields of its message, under the same names; a test holds each of them to it. A field of a newer
#       server is left out.
# Rule: times are aware datetimes, configurations are dicts as in YAML, enums are their words without the prefix.

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.document.values import value_of, word
from answerback.language.problems import Problem
from answerback.v1 import (
    config_service_pb2,
    connection_service_pb2,
    journal_service_pb2,
    listener_service_pb2,
    operations_service_pb2,
    problem_pb2,
)

T = TypeVar("T")

PLAIN: Final[dict[str, type]] = {}
"""The class for each message, by the message's full name."""


def plain(message: Any) -> Callable[[type[T]], type[T]]:
    """Register a class for a message."""

    def register(cls: type[T]) -> type[T]:
        PLAIN[message.DESCRIPTOR.full_name] = cls
        return cls

    return register


PLAIN[problem_pb2.Problem.DESCRIPTOR.full_name] = Problem


@plain(config_service_pb2.GetConfigResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The active configuration."""

    config: dict[str, Any]
    """As in YAML, in the canonical form."""
    revision: int
    etag: str
    """Pass it with a change, so that the change is made only if this revision is still active."""


@plain(listener_service_pb2.GetListenerResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A listener of the active configuration."""

    listener: dict[str, Any]
    """As in YAML, in the canonical form."""
    revision: int
    etag: str


@plain(listener_service_pb2.DeleteListenerResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The result of a change."""

    revision: int
    """The number of the active revision."""
    etag: str
    changed: bool
    """Whether there is a new revision: not if it was active already, nor with `validate_only`."""
    workers: int
    """How many workers serve it."""


@plain(config_service_pb2.UpdateConfigResponse)
@plain(config_service_pb2.RollbackConfigResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange(Change):
    """The result of a change, and the configuration."""

    config: dict[str, Any]


@plain(listener_service_pb2.CreateListenerResponse)
@plain(listener_service_pb2.UpdateListenerResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerChange(Change):
    """The result of a change of one listener, and the listener."""

    listener: dict[str, Any]


@plain(config_service_pb2.Revision)
@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A configuration that became active."""

    number: int
    etag: str
    time: datetime | None
    """When it became active."""
    origin: str
    """`file`, `api`, `rollback` or `built-in`."""
    comment: str
    config: dict[str, Any] | None
    """None in lists without configurations."""
    identity: str
    """The caller, if the server knows it."""


@plain(config_service_pb2.WatchConfigResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionEvent:
    """A revision that a watch received."""

    revision: Revision
    skipped: int
    """How many revisions before it were no longer stored."""


@plain(operations_service_pb2.ListenerStatus)
@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerStatus:
    """One listener, now."""

    name: str
    address: str
    """Where it listens: with the port that was chosen for port 0."""
    engine: str
    connections_accepted: int
    connections_open: int
    requests: int
    requests_unmatched: int
    """Requests among them that no rule matched."""
    accept: str
    drain: str
    """`DRAINING` or `DRAINED`; empty if it is not drained."""


@plain(operations_service_pb2.WorkerStatus)
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """One worker, now."""

    index: int
    pid: int
    revision: int
    restarts: int
    """How often it died and was replaced."""
    start_time: datetime | None
    planned_restarts: int


@plain(operations_service_pb2.ConfigFile)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The file of `serve --config`."""

    path: str
    watched: bool
    problems: tuple[Problem, ...]


@plain(operations_service_pb2.LastChange)
@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """A configuration that was applied or rejected."""

    time: datetime | None
    origin: str
    comment: str
    problems: tuple[Problem, ...]
    """Why it was rejected; empty if it was applied."""


@plain(operations_service_pb2.GetStatusResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The server, now."""

    version: str
    instance: str
    """Identifies this run of the server."""
    start_time: datetime | None
    revision: int
    etag: str
    state: str
    """`STARTING`, `SERVING`, `NOT_SERVING` or `DRAINING`."""
    reason: str
    listeners: tuple[ListenerStatus, ...]
    workers: tuple[WorkerStatus, ...]
    last_applied: LastChange | None
    last_rejected: LastChange | None
    config_file: ConfigFile | None


@plain(operations_service_pb2.DrainResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class DrainProgress:
    """How far a drain is."""

    state: str
    """`DRAINING`, `DRAINED`, or `RESUMED`."""
    connections_open: int
    connections_closed: int
    connections_reset: int


@plain(operations_service_pb2.RestartWorkersResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class RestartProgress:
    """A step of a restart."""

    worker: int
    step: str
    """`REPLACED`: the new worker serves. `RESTARTED`: the old worker has exited."""
    pid: int
    connections: int
    """Connections that the old worker still has; at `RESTARTED`, those that were reset."""


@plain(journal_service_pb2.Body)
@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """The bytes of a request or a reply."""

    data: bytes
    """As many as the journal keeps."""
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
    """The time until the reply was sent, without the injected delay; None while it is in progress."""
    state: str
    """`IN_PROGRESS`, `DONE` or `ABANDONED`."""


@plain(connection_service_pb2.Connection)
@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An open connection."""

    id: str
    listener: str
    worker: int
    peer: str
    age: timedelta | None
    """How long it has been open."""
    received_bytes: int
    sent_bytes: int
    requests: int
    state: str
    """`OPEN`, `HALF_CLOSED` or `CLOSING`."""
    waits_for: str
    """What has to happen next, `request` or `hang` for example."""
    rule_state: str
    """The state that rules have set."""


@plain(journal_service_pb2.Nearest)
@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """An exchange that does not match, and why."""

    exchange: Exchange
    why: str


@plain(journal_service_pb2.Missing)
@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What the journal no longer has of a listener and a worker."""

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
    """Those that match, oldest first; at most 100."""
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


def value(message: Any) -> Any:
    """Return a message as a value of its class; a part of a configuration as a dict."""
    cls = PLAIN.get(message.DESCRIPTOR.full_name)
    if cls is None:
        return value_of(message)
    known: Mapping[str, FieldDescriptor] = message.DESCRIPTOR.fields_by_name
    wanted = (each.name for each in fields(cls) if each.name in known)
    return cls(**{name: _field(message, known[name]) for name in wanted})


def _field(message: Any, field: FieldDescriptor) -> Any:
    found = getattr(message, field.name)
    if field.is_repeated:
        return tuple(_single(field, item) for item in found)
    if field.message_type is not None and not message.HasField(field.name):
        return None
    return _single(field, found)


def _single(field: FieldDescriptor, found: Any) -> Any:
    if isinstance(found, Timestamp):
        return found.ToDatetime(UTC)
    if isinstance(found, Duration):
        return found.ToTimedelta()
    if field.message_type is not None:
        return value(found)
    if field.enum_type is not None:
        return word(field, found) if found else ""
    return found
