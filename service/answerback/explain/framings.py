"""Framings in words."""

from answerback.core import framing as core
from answerback.core.escapes import quote
from answerback.core.framing import Buffer, Framing, Malformed

# Rule: the words are those of the configuration.


def described(framing: Framing | None) -> str:  # noqa: C901, PLR0911 - one for each framing
    """What it is, as the configuration has it; None is one empty request."""
    match framing:
        case None:
            return "fixed, 0 bytes"
        case core.Read(max_bytes):
            return f"read, {max_bytes} bytes at most"
        case core.Line():
            return "line"
        case core.Delimiter(end):
            return f"delimiter {quote(end)}"
        case core.Pattern(pattern):
            return f"pattern {pattern}"
        case core.Fixed(size):
            return f"fixed, {size} bytes"
        case core.LengthPrefix():
            return "length_prefix"
        case core.Idle(gap):
            return f"idle, {gap:g} s"
        case core.UntilEof():
            return "until_eof"
        case core.Http():
            return "http"
        case core.Resp():
            return "resp"
    raise AssertionError(f"a framing without words: {framing}")  # pragma: no cover


def waits_for(framing: Framing, buffer: Buffer) -> str:
    """What bytes lack that are no request yet."""
    missing = framing.least(buffer) - len(buffer)
    match framing:
        case core.Line():
            return "a line ends with LF"
        case core.Delimiter(end):
            return f"{quote(end)} does not follow"
        case core.Pattern(pattern):
            return f"{pattern} does not match yet"
        case core.UntilEof():
            return "it ends when the peer closes its half"
        case core.LengthPrefix(offset, width, strip=True):
            missing += offset + width
        case core.Http() if missing <= 0:
            return "a head ends with an empty line"
    return f"{missing} more byte{'s' * (missing > 1)} at least" if missing > 0 else "it is not whole"


def objection(framing: Framing, buffer: Buffer) -> str:
    """Why bytes will never be a request; empty if they may."""
    try:
        if not framing.cut(buffer, 0)[0]:
            framing.least(buffer)
    except Malformed as problem:
        return str(problem)
    return ""
