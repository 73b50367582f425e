"""What the calls of OperationsService return."""

from dataclasses import dataclass
from datetime import datetime

from answerback.client.values.conversion import plain
from answerback.language.problems import Problem
from answerback.v1 import operations_service_pb2


@plain(operations_service_pb2.ListenerStatus)
@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerStatus:
    """The current state of one listener."""

    name: str
    address: str
    """The address, with the port that was chosen for port 0."""
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
    """The current state of one worker."""

    index: int
    pid: int
    revision: int
    restarts: int
    """The number of times that it died and was replaced."""
    start_time: datetime | None
    planned_restarts: int


@plain(operations_service_pb2.ConfigFile)
@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """The file of `serve --config`."""

    path: str
    watched: bool
    problems: tuple[Problem, ...]
    differs_since: int
    """The first revision that replaced the file's configuration; 0 if the active one is the file's."""


@plain(operations_service_pb2.LastChange)
@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """A configuration that was applied or rejected."""

    time: datetime | None
    origin: str
    comment: str
    problems: tuple[Problem, ...]
    """Why it was rejected; empty if it was applied."""


@plain(operations_service_pb2.SignalStatus)
@dataclass(frozen=True, slots=True, kw_only=True)
class SignalStatus:
    """A signal that is waited for or kept."""

    name: str
    waiting: int
    kept: int


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
    signals: tuple[SignalStatus, ...] = ()
    """The signals that are waited for or kept, by name."""


@plain(operations_service_pb2.SignalResponse)
@dataclass(frozen=True, slots=True, kw_only=True)
class Signalled:
    """What a signal did."""

    woken: int
    """How many waits it ended, as their workers have confirmed."""
    kept: int
    """How many signals of the name are kept for the next waits."""


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
