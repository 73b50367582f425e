"""Workers, restarts, sockets, revisions.

A newcomer's map of this room:

    supervisor        what is in force, and changes of it
      configuration   a configuration is found, read and checked
      file            the file of --config, read again when told to or when it has changed
      rollout         a revision on its way into force
      change          the two phases of a change on the workers
      revisions       what was in force, and where that is kept
        state         the same on disk
          database    as SQLite keeps it
      history         the same, for those who ask
      first           what is served first
      sockets         the listening sockets, of every address and slot
        doors         how one of them meets those who connect
      crew            the workers: started, watched, replaced
        slot          the place of a worker
        process       one worker's process and the link to it
      operations      what is asked of a running responder, beside changes
        restarting    the workers replaced one by one
        draining      listeners shut for a while, and what is open there ended
      shutdown        the end, in order and in time
    health, status, record    what is said to those who ask
    audit             who changed what, in the log
"""

from answerback.supervisor.health import Health
from answerback.supervisor.history import History, NotKept, NotOfThisHistory, Page, Seen
from answerback.supervisor.options import Options, Pace
from answerback.supervisor.outcomes import (
    Change,
    ChangeFailed,
    EtagMismatch,
    NoSuchCounter,
    NotRecorded,
    RestartInProgress,
    StartError,
    Stopping,
)
from answerback.supervisor.restarting import Restarted, RestartStep
from answerback.supervisor.revisions import (
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
    "Pace",
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
    "WorkerStatus",
]
