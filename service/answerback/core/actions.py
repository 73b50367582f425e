"""The actions that a session asks its driver to perform."""

from dataclasses import dataclass
from enum import IntEnum

# Rule: an action is frozen data. A driver performs actions in the order given, each once.


class CloseReason(IntEnum):
    """Why a connection ended. The names are values of the metric label `reason`; the numbers are cell indexes."""

    # Rule: a number is never reused, and new reasons are appended: the shared counters outlive workers.
    PEER_EOF = 0
    SERVER_CLOSE = 1
    PEER_RESET = 2
    SERVER_RESET = 3
    IDLE_TIMEOUT = 4
    REQUEST_TIMEOUT = 5
    WRITE_TIMEOUT = 6
    MAX_LIFETIME = 7
    REQUEST_TOO_LARGE = 8
    DRAIN = 9
    ABORTED = 10
    INTERNAL_ERROR = 11
    PEER_LOST = 12
    WORKER_CRASHED = 13
    MALFORMED_REQUEST = 14
    REPLY_TOO_LARGE = 15
    PEER_GAVE_UP = 16

    @property
    def label(self) -> str:
        """The value of the metric label, `peer_eof` for example."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Send:
    """Hand these bytes to the kernel. A memoryview is a large payload that all connections share without copying it."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Send FIN, once what was sent before has been handed to the kernel, and go on reading."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket, once what was sent before has been handed to the kernel. The last action of a session."""

    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection (RST), once what was sent before has been handed to the kernel. The last action."""

    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Abort:
    """Reset the connection at once; what the kernel has not taken is dropped. The last action."""

    reason: CloseReason


Action = Send | HalfClose | Close | Reset | Abort
