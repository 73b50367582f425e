"""What a step results in.

A result is an action for the driver; or something for the session to do; or several results in a row; or None when
there is nothing to do.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import CloseReason, HalfClose, Send
from answerback.core.context import RequestContext
from answerback.core.expectation import Expectation, Unexpected
from answerback.core.expressions import EvaluationError, TooLongError
from answerback.core.framing import Framing
from answerback.core.shared_view import SharedWriteFailed


@dataclass(frozen=True, slots=True)
class Wait:
    """Take the next step this many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AwaitSignal:
    """Take the next step once a signal of this name is given, or `timeout` seconds later."""

    signal: str
    timeout: float


@dataclass(frozen=True, slots=True)
class GiveSignal:
    """Give a signal of this name."""

    signal: str


@dataclass(frozen=True, slots=True)
class EndSession:
    """End the conversation for this reason, by an orderly close or by reset. Later steps are not taken."""

    by_reset: bool
    reason: CloseReason = CloseReason.SERVER_CLOSE
    cut: bool = False
    """Whether the reply is cut short: TLS does not say then that the stream has ended."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin TLS, and take the next step once the handshake is complete."""


@dataclass(frozen=True, slots=True)
class ForwardRequest:
    """Pass the request on to the upstream, as it was received."""

    waits: bool = False
    """Whether steps follow: they wait for its reply, if replies are framed."""


@dataclass(frozen=True, slots=True)
class AwaitReplies:
    """Take the next step once the upstream owes no reply, or, with `room`, fewer than it may."""

    room: bool = False
    own: bool = False
    """Whether the request of this script is among those that were forwarded."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing more and do not close until the peer closes. Later steps are not taken."""

    ignore_fin: bool = False
    """Stay open when the peer closes its half too; only its RST ends the connection."""


@dataclass(frozen=True, slots=True)
class EnterState:
    """Enter a state: `in_states` of rules refers to it."""

    state: str


@dataclass(frozen=True, slots=True)
class SetVariable:
    """Store bytes under a name, for this connection."""

    name: str
    value: bytes


@dataclass(frozen=True, slots=True)
class PutShared:
    """Store bytes in a variable that all connections share."""

    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class DeleteShared:
    """Remove a variable that all connections share."""

    key: bytes


@dataclass(frozen=True, slots=True)
class AddShared:
    """Add to a number that all connections share, and store the sum in a variable of this connection."""

    key: bytes
    by: int
    variable: str = ""
    """Empty: the sum is not stored."""


@dataclass(frozen=True, slots=True)
class DeleteVariable:
    """Remove a variable of this connection."""

    name: str


@dataclass(frozen=True, slots=True)
class SetFraming:
    """Use another framing for what follows this request: permanently, or for one request."""

    framing: Framing | None
    """None: an empty request follows."""
    once: bool = False


@dataclass(frozen=True, slots=True)
class Receive:
    """Read one frame under this framing before the next step."""

    framing: Framing
    variable: str
    """The variable that it is stored in; empty if it is not stored."""
    expect: Expectation | None = None
    """What it must be; None if it may be anything."""


FORWARD: Final = ForwardRequest()
FORWARD_AND_WAIT: Final = ForwardRequest(waits=True)
AWAIT_REPLIES: Final = AwaitReplies()
AWAIT_ROOM: Final = AwaitReplies(room=True)
AWAIT_OWN_REPLY: Final = AwaitReplies(own=True)
END_IN_ORDER: Final = EndSession(by_reset=False)
END_AS_UPSTREAM_DOWN: Final = EndSession(by_reset=False, reason=CloseReason.UPSTREAM_DOWN)
END_BY_RESET: Final = EndSession(by_reset=True)
END_AS_MALFORMED: Final = EndSession(by_reset=False, reason=CloseReason.MALFORMED_REQUEST)
END_AS_TOO_LARGE: Final = EndSession(by_reset=False, reason=CloseReason.REPLY_TOO_LARGE)
END_AS_NOT_SHARED: Final = EndSession(by_reset=False, reason=CloseReason.SHARED_WRITE_FAILED)
END_AS_FAILED: Final = EndSession(by_reset=False, reason=CloseReason.REPLY_FAILED)

Chunks = Generator[Send | Wait | SetVariable | Unexpected | None, None, None]
"""Step results made lazily: a reply cut into single bytes would need half a gigabyte of them."""

StepResult = (
    Send
    | HalfClose
    | Wait
    | AwaitSignal
    | GiveSignal
    | EndSession
    | Hang
    | StartTls
    | ForwardRequest
    | AwaitReplies
    | EnterState
    | SetVariable
    | DeleteVariable
    | PutShared
    | DeleteShared
    | AddShared
    | SetFraming
    | Receive
    | Unexpected
    | Chunks
    | None
)
Step = StepResult | Callable[[RequestContext], StepResult]
Size = Callable[[RequestContext], int]
"""A number of bytes. Raises EvaluationError."""


def failed(problem: EvaluationError) -> EndSession:
    """End a script whose step has no value: nothing of that step is sent."""
    if isinstance(problem, SharedWriteFailed):
        return END_AS_NOT_SHARED
    return END_AS_TOO_LARGE if isinstance(problem, TooLongError) else END_AS_FAILED
