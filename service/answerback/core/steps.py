"""The steps of a rule.

A step that depends on its context (the request being answered, and its connection) is a function of it. Any other
step is its own result, made when it was compiled. A result is an action for the driver; or something for the session
to do; or several results in a row; or None when there is nothing to do.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from answerback.core.actions import CloseReason, HalfClose, Send
from answerback.core.context import RequestContext
from answerback.core.delays import Delay
from answerback.core.framing import Fixed, Framing
from answerback.core.templates import Template

# Rule: one step, one function, one test.


@dataclass(frozen=True, slots=True)
class Wait:
    """Take the next step this many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """End the conversation for this reason, by an orderly close or by reset. Later steps are not taken."""

    by_reset: bool
    reason: CloseReason = CloseReason.SERVER_CLOSE


@dataclass(frozen=True, slots=True)
class Hold:
    """Send nothing more and do not close until the peer closes. Later steps are not taken."""

    ignore_fin: bool = False
    """Stay open when the peer closes its half too; only its RST ends the connection."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Use another framing for what follows this request: permanently, or for one request."""

    framing: Framing | None
    """None: an empty request follows."""
    once: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Read one frame under this framing into a variable before the next step."""

    framing: Framing
    variable: str


END_IN_ORDER: Final = End(by_reset=False)
END_BY_RESET: Final = End(by_reset=True)
END_AS_MALFORMED: Final = End(by_reset=False, reason=CloseReason.MALFORMED_REQUEST)
END_AS_TOO_LARGE: Final = End(by_reset=False, reason=CloseReason.REPLY_TOO_LARGE)

Several = Generator[Send | Wait, None, None]
"""Step results made lazily: a reply cut into single bytes would need half a gigabyte of them."""

Outcome = Send | HalfClose | Wait | End | Hold | Switch | Take | Several | None
Step = Outcome | Callable[[RequestContext], Outcome]


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
    return lambda _turn: None


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
        return lambda _turn: _pieces(payload, chunks, size, gap)
    render = payload.render
    return lambda context: _pieces(render(context), chunks, size, gap)


def half_close() -> Step:
    """Send FIN and keep reading; nothing can be sent after it."""
    return HalfClose()


def hang(*, ignore_fin: bool = False) -> Step:
    """Send nothing more, and do not close before the peer does or the lifetime ends."""
    return Hold(ignore_fin)


def close() -> Step:
    """Close the connection in order."""
    return END_IN_ORDER


def reset() -> Step:
    """Reset the connection, once what was sent before has been handed to the kernel."""
    return END_BY_RESET


def state(name: str) -> Step:
    """Enter a state: `in_states` of rules refers to it."""

    def enter(context: RequestContext) -> None:
        context.state = name

    return enter


def set_variable(name: str, value: bytes | Template) -> Step:
    """Store bytes under a name, for templates of this connection."""

    def remember(context: RequestContext) -> None:
        context.variables[name] = value if isinstance(value, bytes) else value.render(context)

    return remember


def set_framing(framing: Framing) -> Step:
    """Use another framing for what follows this request."""
    return Switch(framing)


def set_framing_of_size(size: Template) -> Step:
    """Take this many bytes as the next request, then return to the framing before."""

    def switch(context: RequestContext) -> Outcome:
        number = size.number(context)
        if number is None or number < 0:
            return END_AS_MALFORMED
        return Switch(Fixed(number) if number else None, once=True)

    return switch


def receive(framing: Framing, variable: str) -> Step:
    """Read one frame, under its own framing, into a variable."""
    return Take(framing, variable)


def receive_of_size(size: Template, variable: str) -> Step:
    """Read this many bytes into a variable."""

    def taking(context: RequestContext) -> Outcome:
        number = size.number(context)
        if number is None or number < 0:
            return END_AS_MALFORMED
        if number:
            return Take(Fixed(number), variable)
        context.variables[variable] = b""
        return None

    return taking


def _pieces(data: bytes | memoryview, chunks: int, size: int, gap: float) -> Several:
    least, longer = divmod(len(data), chunks) if chunks else (size, 0)
    at = number = 0
    while at < len(data):
        if at:
            yield Wait(gap)
        end = at + least + (number < longer)
        yield Send(data[at:end])
        at, number = end, number + 1
