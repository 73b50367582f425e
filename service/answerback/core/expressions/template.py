"""A compiled template, and how it is rendered."""

from collections.abc import Callable, Sequence

from answerback.core.context import RequestContext
from answerback.core.expressions.errors import MAX_OUTPUT, MAX_WORK, TooLongError, Work, bounded
from answerback.core.expressions.values import Type, Value

# Rule: everything possible is done when compiling, not when rendering.

Part = bytes | Value


class Template:
    """A compiled template: text and values of bytes. It is immutable, and can be rendered in any context."""

    __slots__ = ("constant", "render")

    render: Callable[[RequestContext], bytes]
    """Renders the template in a context: at most `MAX_OUTPUT` bytes. Raises EvaluationError."""
    constant: bytes | None
    """The result, if it does not depend on the context."""

    def __init__(self, parts: Sequence[Part], work: Work | None = None) -> None:
        """`work`: the budget of its values. Raises TooLongError if it is too long in every context."""
        folded = _folded(parts)
        bounded(sum(len(part) for part in folded if isinstance(part, bytes)))
        varying = [part for part in folded if not isinstance(part, bytes)]
        self.constant = None if varying else b"".join(part for part in folded if isinstance(part, bytes))
        self.render = _renderer(folded, work or Work()) if varying else _always(self.constant or b"")


def as_bytes(value: Value) -> Value:
    """Convert to bytes: an int becomes its digits."""
    if value.type is Type.BYTES:
        return value
    of = value.of
    digits = b"%d" % value.constant if isinstance(value.constant, int) else None
    return Value(Type.BYTES, lambda context: b"%d" % of(context), value.reads, digits, value.weight)


def _folded(parts: Sequence[Part]) -> list[Part]:
    """Merge adjacent constants."""
    folded: list[Part] = []
    for part in parts:
        given = part if isinstance(part, bytes) else as_bytes(part)
        data = given if isinstance(given, bytes) else given.constant
        last = folded[-1] if folded else None
        if not isinstance(data, bytes):
            folded.append(given)
        elif isinstance(last, bytes):
            folded[-1] = last + data
        elif data:
            folded.append(data)
    return folded


def _renderer(folded: Sequence[Part], work: Work) -> Callable[[RequestContext], bytes]:
    """Return the rendering function: one bytes operation that holds the constants, and calls the values."""
    found = [part.of for part in folded if not isinstance(part, bytes)]
    whole = b"".join(part.replace(b"%", b"%%") if isinstance(part, bytes) else b"%b" for part in folded)
    room = MAX_OUTPUT - sum(len(part) for part in folded if isinstance(part, bytes))
    if len(found) == 1:
        return _with_one(whole, found[0], room, work)

    def render(context: RequestContext) -> bytes:
        work.left = MAX_WORK
        values = tuple([of(context) for of in found])
        if sum(map(len, values)) > room:
            raise TooLongError
        return whole % values

    return render


def _with_one(
    whole: bytes, of: Callable[[RequestContext], bytes], room: int, work: Work
) -> Callable[[RequestContext], bytes]:
    def render(context: RequestContext) -> bytes:
        work.left = MAX_WORK
        value = of(context)
        if len(value) > room:
            raise TooLongError
        return whole % value

    return render


def _always(data: bytes) -> Callable[[RequestContext], bytes]:
    return lambda _context: data
