"""The steps of a rule.

A step that depends on its context (the request being answered, and its connection) is a function of it. Any other
step is its own result, made when it was compiled. A result is an action for the driver; or something for the session
to do; or several results in a row; or None when there is nothing to do. Steps change nothing themselves.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import CloseReason, HalfClose, Send
from answerback.core.context import RequestContext
from answerback.core.delays import Delay
from answerback.core.expectation import Expectation, Unexpected
from answerback.core.expressions import EvaluationError, Template, TooLongError
from answerback.core.framing import Fixed, Framing
from answerback.core.shared_view import SharedWriteFailed

# Rule: one step, one function, one test.


@dataclass(frozen=True, slots=True)
class Wait:
    """Take the next step this many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class EndSession:
    """End the conversation for this reason, by an orderly close or by reset. Later steps are not taken."""

    by_reset: bool
    reason: CloseReason = CloseReason.SERVER_CLOSE


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


END_IN_ORDER: Final = EndSession(by_reset=False)
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
    | EndSession
    | Hang
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

Key = Callable[[RequestContext], bytes]
"""The name of a shared variable. Raises EvaluationError."""


def send(payload: bytes | memoryview | Template) -> Step:
    """Send these bytes, or the rendered template."""
    if isinstance(payload, bytes | memoryview):
        return Send(payload)
    render = payload.render
    return lambda context: Send(render(context))


def echo() -> Step:
    """Send the request, as rules see it."""
    return lambda context: Send(context.request)


def discard() -> Step:
    """Do nothing."""
    return lambda _context: None


def delay_fixed(seconds: float) -> Step:
    """Wait for this many seconds."""
    return Wait(seconds)


def delay_drawn(delay: Delay) -> Step:
    """Wait for a time drawn from a distribution, each time a new one."""
    draw = delay.draw
    return lambda context: Wait(draw(context.chance))


def dribble(payload: bytes | memoryview | Template, *, chunks: int = 0, size: int = 0, gap: float) -> Step:
    """Send it in `chunks` pieces, the longer ones first, or in pieces of `size` bytes, with the gap between them."""
    if isinstance(payload, bytes | memoryview):
        return lambda _context: _pieces(payload, chunks, size, gap)
    render = payload.render
    return lambda context: _pieces(render(context), chunks, size, gap)


def half_close() -> Step:
    """Send FIN and keep reading; nothing can be sent after it."""
    return HalfClose()


def hang(*, ignore_fin: bool = False) -> Step:
    """Send nothing more, and do not close before the peer does or the lifetime ends."""
    return Hang(ignore_fin)


def close() -> Step:
    """Close the connection in order."""
    return END_IN_ORDER


def reset() -> Step:
    """Reset the connection, once what was sent before has been handed to the kernel."""
    return END_BY_RESET


def state(name: str) -> Step:
    """Enter a state: `in_states` of rules refers to it."""
    return EnterState(name)


def set_variable(name: str, value: bytes | Template) -> Step:
    """Store bytes under a name, for expressions of this connection."""
    if isinstance(value, bytes):
        return SetVariable(name, value)
    render = value.render
    return lambda context: SetVariable(name, render(context))


def unset_variable(name: str) -> Step:
    """Remove a variable of this connection, if it is there."""
    return DeleteVariable(name)


def put_shared(key: Key, value: bytes | Template) -> Step:
    """Store bytes in a variable that all connections share."""
    if isinstance(value, bytes):
        return lambda context: PutShared(key(context), value)
    render = value.render
    return lambda context: PutShared(key(context), render(context))


def delete_shared(key: Key) -> Step:
    """Remove a variable that all connections share, if it is there."""
    return lambda context: DeleteShared(key(context))


def add_shared(key: Key, by: Callable[[RequestContext], int], variable: str) -> Step:
    """Add to a number that all connections share; its sum is stored in `variable`, unless that is empty."""
    return lambda context: AddShared(key(context), by(context), variable)


def set_framing(framing: Framing) -> Step:
    """Use another framing for what follows this request."""
    return SetFraming(framing)


def failed(problem: EvaluationError) -> EndSession:
    """End a script whose step has no value: nothing of that step is sent."""
    if isinstance(problem, SharedWriteFailed):
        return END_AS_NOT_SHARED
    return END_AS_TOO_LARGE if isinstance(problem, TooLongError) else END_AS_FAILED


def set_framing_of_size(size: Size) -> Step:
    """Use this many bytes as the next request, then return to the framing before."""

    def set_once(context: RequestContext) -> StepResult:
        try:
            number = size(context)
        except EvaluationError:
            return END_AS_MALFORMED
        if number < 0:
            return END_AS_MALFORMED
        return SetFraming(Fixed(number) if number else None, once=True)

    return set_once


def receive(framing: Framing, variable: str, expect: Expectation | None = None) -> Step:
    """Read one frame, under its own framing, into a variable."""
    return Receive(framing, variable, expect)


def receive_of_size(size: Size, variable: str, expect: Expectation | None = None) -> Step:
    """Read this many bytes into a variable."""

    def receive_bytes(context: RequestContext) -> StepResult:
        try:
            number = size(context)
        except EvaluationError:
            return END_AS_MALFORMED
        if number < 0:
            return END_AS_MALFORMED
        if number:
            return Receive(Fixed(number), variable, expect)
        store = SetVariable(variable, b"") if variable else None
        return store if expect is None else receive_nothing(store, expect, context)

    def receive_nothing(store: SetVariable | None, expect: Expectation, context: RequestContext) -> Chunks:
        yield store
        yield from expect.compare(b"", context)

    return receive_bytes


def _pieces(data: bytes | memoryview, chunks: int, size: int, gap: float) -> Chunks:
    shortest, longer = divmod(len(data), chunks) if chunks else (size, 0)
    at = number = 0
    while at < len(data):
        if at:
            yield Wait(gap)
        end = at + shortest + (number < longer)
        yield Send(data[at:end])
        at, number = end, number + 1
