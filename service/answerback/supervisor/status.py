"""The status of the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from answerback.core.plan import Accept, Engine
from answerback.language.problems import Problem
from answerback.metrics.snapshot import Counts


class State(Enum):
    """The overall state of the server."""

    STARTING = "starting"
    SERVING = "serving"
    NOT_SERVING = "not serving"
    """Running, but not ready for traffic."""
    DRAINING = "draining"


class DrainState(Enum):
    """The progress of a drain."""

    DRAINING = "draining"
    DRAINED = "drained"
    """No connection is left."""
    RESUMED = "resumed"
    """The drain was cancelled by `resume`."""


@dataclass(frozen=True, slots=True)
class DrainProgress:
    """A progress report of a drain."""

    state: DrainState
    open: int
    """Open connections."""
    closed: int
    """Connections closed since the listeners were shut."""
    reset: int = 0
    """Connections reset because they were open after the grace period."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A slot and its process, if there is one."""

    index: int
    pid: int
    """The process id; 0 without a process."""
    running: bool
    """Whether there is a process that has reported to be up."""
    revision: int
    """The revision that its new connections use; 0 before the first."""
    restarts: int
    """How often a process in this slot has died and been replaced."""
    start_time: datetime | None
    """When the latest process started."""
    start_seconds: float
    """Seconds from exec to the first heartbeat of the latest process; 0 before it."""
    loop_lag_seconds: float
    """How late its latest heartbeat came, in seconds."""
    planned_restarts: int = 0
    """How often a process in this slot has been replaced as planned."""


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """A listener and its counters."""

    name: str
    address: str
    """The bound address, with the port that the kernel chose for 0."""
    engine: Engine
    accept: Accept
    counts: Counts
    drain: DrainState | None = None
    """The progress of its drain; None if it listens."""


@dataclass(frozen=True, slots=True)
class LastChange:
    """A configuration that was applied or rejected."""

    time: datetime
    origin: str
    comment: str = ""
    problems: Sequence[Problem] = ()
    """Why it was rejected."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """The file of `--config`."""

    path: str
    watched: bool
    """Whether the file is applied when its content changes."""
    problems: Sequence[Problem] = ()
    """Why the current content was not applied; empty if it was."""
    differs_since: int = 0
    """The first revision that replaced the file's configuration; 0 if the active one is the file's."""

    @property
    def rejection(self) -> str:
        """The problems as one line; empty if there are none."""
        if not self.problems:
            return ""
        others = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return f"{self.path} was not applied: {self.problems[0]}{others}"


@dataclass(frozen=True, slots=True)
class SignalStatus:
    """A signal that is waited for or kept."""

    name: str
    waiting: int
    kept: int


@dataclass(frozen=True, slots=True)
class Status:
    """The complete status."""

    state: State
    reason: str
    """Why the state is not SERVING."""
    revision: int
    etag: str
    listeners: Sequence[ListenerStatus]
    workers: Sequence[WorkerStatus]
    last_applied: LastChange | None
    last_rejected: LastChange | None
    applied: int
    """How many configurations were applied since the start."""
    rejected: int
    """How many configurations were rejected since the start."""
    file: FileStatus | None
    """The file's status; None without a file."""
    signals: Sequence[SignalStatus]
    """The signals that are waited for or kept."""
    certificates_loaded: int
    """How often changed certificates of listeners were loaded since the start."""
    certificates_rejected: int
    """How often changed files of certificates could not be used since the start."""
