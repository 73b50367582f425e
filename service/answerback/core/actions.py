"""The actions that a session asks its driver to perform."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

# Rule: an action is frozen data. A driver performs actions in the order given, each once.


class CloseReason(IntEnum):
    """Why a connection ended. The names are values of the metric label `reason`; the numbers are cell indexes."""

    # Rule: a number is never reused, and new reasons are appended: the shared counters outlive workers.
    explanation: str
    """What happened, in a sentence for users: docs/reference/metrics.md is generated from it."""

    def __new__(cls, number: int, explanation: str) -> Self:
        """Create the member whose value is `number`."""
        member = int.__new__(cls, number)
        member._value_ = number
        member.explanation = explanation
        return member

    PEER_EOF = 0, "The peer closed its half, and all replies were sent; at an upstream, all bytes were passed on."
    SERVER_CLOSE = (
        1,
        "A rule ran the step `close`, the fault `truncate` ended the reply, or the fault `tls` ended the handshake.",
    )
    PEER_RESET = 2, "The peer reset the connection, or closed it while a reply was being sent."
    SERVER_RESET = 3, "A rule ran the step `reset`, or a fault reset the connection."
    IDLE_TIMEOUT = 4, "Nothing was received for `idle_timeout`."
    REQUEST_TIMEOUT = 5, "A request was not complete within `request_timeout` of its first byte."
    WRITE_TIMEOUT = (
        6,
        "The peer did not receive 64 KiB of the reply, or its rest, within `write_timeout`; the connection was reset.",
    )
    MAX_LIFETIME = 7, "The connection reached its `lifetime`."
    REQUEST_TOO_LARGE = 8, "A request was longer than `max_request_bytes`."
    DRAIN = (
        9,
        (
            "A drain, the removal of the listener, or a stop or restart closed the connection, after the reply "
            "in progress was sent."
        ),
    )
    ABORTED = (
        10,
        (
            "The connection was reset by `CloseConnections`, or because it had not finished a reply when the grace "
            "period of a drain, restart or stop was over."
        ),
    )
    INTERNAL_ERROR = 11, "The session raised an exception (see the log); the connection was reset."
    PEER_LOST = 12, "The peer could not be reached any more."
    WORKER_CRASHED = 13, "The worker that served it died."
    MALFORMED_REQUEST = 14, "A request was malformed: for example an invalid length, or a size that has no value."
    REPLY_TOO_LARGE = 15, "A template, or a value in it, would have more than 1 MiB."
    PEER_GAVE_UP = (
        16,
        (
            "The peer closed or reset the connection while the step or fault `hang`, the fault `tls: stall`, or "
            "`accept: HOLD`, kept it open."
        ),
    )
    REPLY_FAILED = (
        17,
        "An expression of a step had no value, for example digits that are not a number: it sent nothing.",
    )
    UNEXPECTED = 18, "A frame was not what the step `receive` expects."
    SHARED_WRITE_FAILED = (
        19,
        "A step could not change a shared variable: a bound was reached, or the machine has no memory left.",
    )
    UPSTREAM_DOWN = (
        20,
        (
            "No connection to the upstream could be made within `connect_timeout`; the client was reset, or got the "
            "reply of a rule on `UPSTREAM_DOWN`."
        ),
    )
    UPSTREAM_EOF = 21, "The upstream closed its half first, then the client; all bytes were passed on."
    UPSTREAM_RESET = 22, "The upstream reset the connection; the client was reset."
    UPSTREAM_LOST = 23, "The upstream could not be reached any more; the client was reset."
    UPSTREAM_WRITE_TIMEOUT = (
        24,
        "The upstream did not receive 64 KiB, or the rest, within `write_timeout`; both connections were reset.",
    )
    PROXY_HEADER = (
        25,
        (
            "A header of the PROXY protocol was malformed, not complete within `timeout`, missing although it is "
            "required, or sent by a peer that is not in `from`; the connection was reset."
        ),
    )
    TLS_HANDSHAKE = (
        26,
        (
            "A TLS handshake failed, or was not complete within `handshake_timeout`; a log line has OpenSSL's reason, "
            "unless the fault `tls` stalled it."
        ),
    )
    NOT_TLS = 27, "The first bytes on a listener with TLS were no TLS handshake."
    TLS_ERROR = (
        28,
        "A TLS record of the peer, or of the upstream, was not valid, or was a fatal alert after the handshake.",
    )
    TLS_CUT = (
        29,
        "The peer, or the upstream, closed its half without TLS's close_notify, and everything was sent.",
    )
    UPSTREAM_MALFORMED = (
        30,
        "A reply of the upstream was malformed, or the upstream closed its half in the middle of one.",
    )
    UPSTREAM_TOO_LARGE = 31, "A reply of the upstream was longer than `max_reply_bytes`."

    @property
    def label(self) -> str:
        """The value of the metric label, `peer_eof` for example."""
        return self.name.lower()


@dataclass(slots=True)  # frozen, it would take twice the time to make one, and many are made for one request each
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


@dataclass(frozen=True, slots=True)
class BeginTls:
    """Begin TLS behind what was sent before. The layer of TLS takes it; no driver gets it."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Pass these bytes of the peer on to the upstream. Only a session with `forwarding` asks for it."""

    data: bytes


Action = Send | HalfClose | Close | Reset | Abort | BeginTls | Forward
