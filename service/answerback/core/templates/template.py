"""A compiled template, and how it is rendered."""

from collections.abc import Callable, Sequence
from typing import Final

from answerback.core.context import RequestContext
from answerback.core.templates.errors import MOST, TemplateError, TooLong
from answerback.core.templates.values import Bytes, Number, Value, as_bytes, literal, read_number

# Rule: everything possible is done when compiling, not when rendering.

_MEASURED_AFTER: Final = 8  # max. values; with more, lengths are summed before anything is built


class Template:
    """A compiled template. It is immutable, and can be rendered in any context."""

    __slots__ = ("_number", "constant", "render")

    render: Callable[[RequestContext], bytes]
    """Renders the template in a context: at most `MOST` bytes, or it raises TooLong."""
    constant: bytes | None
    """The result, if it does not depend on the context."""

    def __init__(self, parts: Sequence[Value]) -> None:
        """Raises TemplateError if it is longer than `MOST` in every context."""
        folded = _folded(parts)
        if sum(len(part) for part in folded if isinstance(part, bytes)) > MOST:
            raise TemplateError(f"longer than {MOST} bytes, whatever its values", 0)
        self.constant = _constant(folded)
        self.render = _renderer(folded)
        self._number = _reader(parts[0] if len(parts) == 1 else None, self.render)

    def number(self, context: RequestContext) -> int | None:
        """Return the number that the template makes in a context; None if its result is not a number.

        A number is itself. What `u…`, `or` or `xor` make is read big-endian, so that `${u16be:request[2:4]}` is a
        number of the request's. Anything else is a number if it is decimal digits, 19 at most behind leading zeros.
        """
        return self._number(context)


_Part = bytes | Bytes | Number


def _folded(parts: Sequence[Value]) -> list[_Part]:
    """Merge adjacent constants."""
    folded: list[_Part] = []
    fixed: list[bytes] = []
    for part in parts:
        if part.constant is not None:
            fixed.append(as_bytes(part).constant or b"")
            continue
        if fixed:
            folded.append(b"".join(fixed))
            fixed = []
        folded.append(part)
    if fixed:
        folded.append(b"".join(fixed))
    return folded


def _constant(folded: Sequence[_Part]) -> bytes | None:
    if not folded:
        return b""
    only = folded[0]
    return only if len(folded) == 1 and isinstance(only, bytes) else None


def _renderer(folded: Sequence[_Part]) -> Callable[[RequestContext], bytes]:
    """Return the rendering function: one bytes operation that holds the constants, and calls the values."""
    varying = [part for part in folded if not isinstance(part, bytes)]
    if not varying:
        data = b"".join(part for part in folded if isinstance(part, bytes))
        return lambda _turn: data
    if len(varying) > _MEASURED_AFTER:
        return _with_many(folded)
    whole = b"".join(_written(part) for part in folded)
    if len(varying) == 1:
        return _with_one(whole, varying[0].of)
    return _with_some(whole, [part.of for part in varying])


def _with_one(whole: bytes, of: Callable[[RequestContext], bytes | int]) -> Callable[[RequestContext], bytes]:
    def render(context: RequestContext) -> bytes:
        data = whole % of(context)
        if len(data) > MOST:
            raise TooLong
        return data

    return render


def _with_some(
    whole: bytes, looked_up: Sequence[Callable[[RequestContext], bytes | int]]
) -> Callable[[RequestContext], bytes]:
    def render(context: RequestContext) -> bytes:
        data = whole % tuple([of(context) for of in looked_up])
        if len(data) > MOST:
            raise TooLong
        return data

    return render


def _with_many(folded: Sequence[_Part]) -> Callable[[RequestContext], bytes]:
    looked_up = [literal(part).of if isinstance(part, bytes) else as_bytes(part).of for part in folded]

    def render(context: RequestContext) -> bytes:
        left, found = MOST, []
        for of in looked_up:
            found.append(data := of(context))
            left -= len(data)
            if left < 0:
                raise TooLong
        return b"".join(found)

    return render


def _written(part: _Part) -> bytes:
    """Return the part as it appears in a bytes format."""
    if isinstance(part, bytes):
        return part.replace(b"%", b"%%")
    return b"%b" if isinstance(part, Bytes) else b"%d"


def _reader(only: Value | None, render: Callable[[RequestContext], bytes]) -> Callable[[RequestContext], int | None]:
    """Return the function that reads the number, for a template of exactly one value, or for any other."""
    if isinstance(only, Number):
        return only.of
    if only is not None and only.packed:
        return lambda context: read_number(render(context))
    return lambda context: _decimal(render(context))


def _decimal(data: bytes) -> int | None:
    digits = data.lstrip(b"0")
    if not data or len(digits) > 19 or not (digits or b"0").isdigit():
        return None
    return int(digits or b"0")
