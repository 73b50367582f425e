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
    """Up, but fit for no traffic."""
    DRAINING = "draining"


class DrainState(Enum):
    """The progress of a drain."""

    DRAINING = "draining"
    DRAINED = "drained"
    """No connection is left."""
    RESUMED = "resumed"
    """`resume` came before that."""


@dataclass(frozen=True, slots=True)
class DrainProgress:
    """A progress report of a drain."""

    state: DrainState
    open: int
    """Connections."""
    closed: int
    """Connections, since the listeners were shut."""
    reset: int = 0
    """Connections of those, which were still open after the grace period."""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A slot and its process, if there is one."""

    index: int
    pid: int
    """0 while there is none."""
    running: bool
    """Whether there is a process, and it has said that it is up."""
    revision: int
    """What its new connections are served by; 0 before the first."""
    restarts: int
    """How often a process in this slot has died and been replaced."""
    start_time: datetime | None
    """Of the latest process."""
    start_seconds: float
    """From exec to the first beat of the latest process; 0 before it."""
    loop_lag_seconds: float
    """By how much its latest beat came late."""
    planned_restarts: int = 0
    """How often a process in this slot has been replaced as planned."""


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """A listener and its counters."""

    name: str
    address: str
    """As bound: port 0 has become the kernel's choice."""
    engine: Engine
    accept: Accept
    counts: Counts
    drain: DrainState | None = None
    """Whether it is drained, and how far; None if it listens."""


@dataclass(frozen=True, slots=True)
class LastChange:
    """A configuration that was applied or rejected."""

    time: datetime
    origin: str
    comment: str = ""
    problems: Sequence[Problem] = ()
    """Why it was refused."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """The file of `--config`."""

    path: str
    watched: bool
    """Whether it is applied when its content changes."""
    problems: Sequence[Problem] = ()
    """Why what it says now was not put in force; empty if it was."""

    @property
    def refusal(self) -> str:
        """The problems as one line; empty if there are none."""
        if not self.problems:
            return ""
        others = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return f"{self.path} was not applied: {self.problems[0]}{others}"


@dataclass(frozen=True, slots=True)
class Status:
    """The complete status."""

    state: State
    reason: str
    """Why, when the state is not SERVING."""
    revision: int
    etag: str
    listeners: Sequence[ListenerStatus]
    workers: Sequence[WorkerStatus]
    last_applied: LastChange | None
    last_refused: LastChange | None
    applied: int = 0
    """How many configurations were put in force since the start."""
    refused: int = 0
    """How many were refused."""
    file: FileStatus | None = None
    """None without one."""
