"""The client of the admin API, for programs in Python: `answerback.Client`, and `answerback.aio.Client` for asyncio.

A call's way through this package:

    calls        what each call takes, sends and returns, written once for both clients: a module for each service
    faces        makes a method that blocks, or one to await, of it
    client, aio  the two clients
    transport    requests over gRPC; rpcs knows where to, channel with which credentials
    values       what calls return; errors: what they raise
"""

from answerback.client.channel import BadCredentials
from answerback.client.client import Client
from answerback.client.errors import (
    Aborted,
    AlreadyExists,
    ConfigRejected,
    DeadlineExceeded,
    Error,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from answerback.client.faces import AsyncStream, Stream
from answerback.client.values import (
    Answered,
    Body,
    Change,
    Config,
    ConfigChange,
    ConfigFile,
    Connection,
    ConnectionEnd,
    DrainProgress,
    Exchange,
    FaultChange,
    JournalEvent,
    LastChange,
    Listener,
    ListenerChange,
    ListenerStatus,
    Mark,
    Missing,
    Nearest,
    RestartProgress,
    Revision,
    RevisionEvent,
    Signalled,
    SignalStatus,
    Status,
    Verification,
    Waited,
    Watched,
    WorkerStatus,
)
from answerback.language.problems import Problem

__all__ = (
    "Aborted",
    "AlreadyExists",
    "Answered",
    "AsyncStream",
    "BadCredentials",
    "Body",
    "Change",
    "Client",
    "Config",
    "ConfigChange",
    "ConfigFile",
    "ConfigRejected",
    "Connection",
    "ConnectionEnd",
    "DeadlineExceeded",
    "DrainProgress",
    "Error",
    "Exchange",
    "FaultChange",
    "InvalidArgument",
    "JournalEvent",
    "LastChange",
    "Listener",
    "ListenerChange",
    "ListenerStatus",
    "Mark",
    "Missing",
    "Nearest",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "Problem",
    "ResourceExhausted",
    "RestartProgress",
    "Revision",
    "RevisionEvent",
    "SignalStatus",
    "Signalled",
    "Status",
    "Stream",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Verification",
    "Waited",
    "Watched",
    "WorkerStatus",
)
