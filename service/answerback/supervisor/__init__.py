"""The process that owns everything but the connections: sockets, workers, revisions, operations.

supervisor     puts the rooms below together: what is active, and changes of it
rollout/       a configuration on its way to the workers: found, checked, decided in two phases, counted
workers/       the worker processes: started, watched, replaced
sockets/       the listening sockets of every address and slot: opened, closed, stalled, and left
revisions/     the history of the configuration, in memory or in SQLite
operations/    what an operator asks for beside changes: drain, resume, rolling restart, counters, shutdown
aio/           two tools for asyncio: a broadcast, and operations one at a time
readiness      whether the server is ready, from all of the above; health and status tell it
audit          who changed what, in the log
options        how it was started; errors: what callers have to expect
"""

from answerback.supervisor.errors import (
    Change,
    ChangeFailed,
    EtagMismatch,
    NoSuchCounter,
    NotRecorded,
    RestartInProgress,
    StartError,
    Stopping,
)
from answerback.supervisor.health import Health
from answerback.supervisor.operations.rolling_restart import Restarted, RestartStep
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.revisions.history import History, NotKept, NotOfThisHistory, Page, Seen
from answerback.supervisor.revisions.store import (
    Entry,
    Retention,
    Revision,
    RevisionStore,
    StoreCorrupt,
    StoreFailed,
    StoreFull,
)
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
    "Change",
    "ChangeFailed",
    "DrainProgress",
    "DrainState",
    "Entry",
    "EtagMismatch",
    "FileStatus",
    "Health",
    "History",
    "LastChange",
    "ListenerStatus",
    "NoSuchCounter",
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
