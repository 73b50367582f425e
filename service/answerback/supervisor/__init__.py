"""The process that owns everything but the connections: sockets, workers, revisions, operations.

supervisor     builds the rooms below, starts and stops them; what the admin API and the web see
operations/    what an operator asks for beside changes: drain, resume, rolling restart, counters, shutdown
rollout/       a configuration on its way to the workers: found, checked, decided in two phases, counted
workers/       the worker processes: started, watched, replaced
sockets/       the listening sockets of every address and slot: opened, closed, stalled
revisions/     the history of the configuration, in memory or in SQLite
readiness      whether the server is ready: the others report to it; health and status tell it
audit          who changed what, in the log
options        how it was started; errors: what callers have to expect; limits: what the machine must offer
"""

from answerback.supervisor.errors import (
    ChangeFailed,
    Conflict,
    EtagMismatch,
    NoSuchCounter,
    NoSuchSignal,
    NotRecorded,
    RestartInProgress,
    StartError,
    Stopping,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
)
from answerback.supervisor.health import Health
from answerback.supervisor.operations.rolling_restart import Restarted, RestartStep
from answerback.supervisor.operations.signals import MAX_KEPT
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.revisions.history import History, NotKept, NotOfThisHistory, Page, Seen
from answerback.supervisor.revisions.store import Entry, Retention, Revision, RevisionStore
from answerback.supervisor.rollout.changes import Change
from answerback.supervisor.rollout.rollout import Clock
from answerback.supervisor.rollout.sources import Edit
from answerback.supervisor.status import (
    DrainProgress,
    DrainState,
    FileStatus,
    LastChange,
    ListenerStatus,
    State,
    Status,
    WorkerStatus,
)
from answerback.supervisor.supervisor import Supervisor

__all__ = [
    "MAX_KEPT",
    "Change",
    "ChangeFailed",
    "Clock",
    "Conflict",
    "DrainProgress",
    "DrainState",
    "Edit",
    "Entry",
    "EtagMismatch",
    "FileStatus",
    "Health",
    "History",
    "LastChange",
    "ListenerStatus",
    "NoSuchCounter",
    "NoSuchSignal",
    "NotKept",
    "NotOfThisHistory",
    "NotRecorded",
    "Options",
    "Page",
    "RestartInProgress",
    "RestartStep",
    "Restarted",
    "Retention",
    "Revision",
    "RevisionStore",
    "Seen",
    "StartError",
    "State",
    "Status",
    "Stopping",
    "StoreCorrupt",
    "StoreFailed",
    "StoreFull",
    "Supervisor",
    "Timeouts",
    "WorkerStatus",
]
