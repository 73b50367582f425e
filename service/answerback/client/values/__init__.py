"""What calls return: plain values, one module for each service of the API."""

# Rule: a class has the fields of its message, under the same names; a test compares them.
# Rule: times are aware datetimes, configurations are dicts as in YAML, enums are their words without the prefix.

from answerback.client.values.config import Change, Config, ConfigChange, Revision, RevisionEvent
from answerback.client.values.connections import Connection
from answerback.client.values.conversion import PLAIN, value
from answerback.client.values.journal import (
    Answered,
    Body,
    ConnectionEnd,
    Exchange,
    JournalEvent,
    Mark,
    Missing,
    Nearest,
    Verification,
    Waited,
    Watched,
)
from answerback.client.values.listeners import FaultChange, Listener, ListenerChange
from answerback.client.values.operations import (
    ConfigFile,
    DrainProgress,
    LastChange,
    ListenerStatus,
    RestartProgress,
    Signalled,
    SignalStatus,
    Status,
    WorkerStatus,
)

__all__ = (
    "PLAIN",
    "Answered",
    "Body",
    "Change",
    "Config",
    "ConfigChange",
    "ConfigFile",
    "Connection",
    "ConnectionEnd",
    "DrainProgress",
    "Exchange",
    "FaultChange",
    "JournalEvent",
    "LastChange",
    "Listener",
    "ListenerChange",
    "ListenerStatus",
    "Mark",
    "Missing",
    "Nearest",
    "RestartProgress",
    "Revision",
    "RevisionEvent",
    "SignalStatus",
    "Signalled",
    "Status",
    "Verification",
    "Waited",
    "Watched",
    "WorkerStatus",
    "value",
)
