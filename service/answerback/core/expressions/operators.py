"""The operators of expressions.

They mean what they mean in Python, on ints of 64 bits. Arithmetic fails where its result is out of range.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from answerback.core.context import RequestContext
from answerback.core.expressions.errors import FREE_BYTES, EvaluationError, Work, bounded
from answerback.core.expressions.values import (
    LARGEST,
    SMALLEST,
    Type,
    Value,
    apply,
    constant,
    reads_of,
    weight_of,
)

# Rule: an operator fails only with EvaluationError, and checks the size of its result before it makes it.

MAX_SHIFT: Final = 63
SCAN_SHARE: Final = 16  # a search by `in` reads this number of bytes in the time in which a function reads one


def in_range(number: int) -> int:
    """Return the number. Raises EvaluationError if it has more than 64 bits."""
    if not SMALLEST <= number <= LARGEST:
        raise EvaluationError("the result is out of range: ints are -2**63 to 2**64 - 1")
    return number


def add(left: int, right: int) -> int:
    """Add two ints."""
    return in_range(left + right)


def subtract(left: int, right: int) -> int:
    """Subtract an int from another."""
    return in_range(left - right)


def multiply(left: int, right: int) -> int:
    """Multiply two ints."""
    return in_range(left * right)


def divide(left: int, right: int) -> int:
    """Divide and round down."""
    if not right:
        raise EvaluationError("division by zero")
    return in_range(left // right)


def remainder(left: int, right: int) -> int:
    """The remainder of a division; it has the sign of the divisor."""
    if not right:
        raise EvaluationError("division by zero")
    return left % right


def bit_and(left: int, right: int) -> int:
    """The bits that are set in both."""
    return in_range(left & right)


def bit_or(left: int, right: int) -> int:
    """The bits that are set in one of them."""
    return in_range(left | right)


def bit_xor(left: int, right: int) -> int:
    """The bits that differ."""
    return in_range(left ^ right)


def shift_left(number: int, bits: int) -> int:
    """Shift to the left by 0 to 63 bits."""
    return in_range(number << _shift(bits))


def shift_right(number: int, bits: int) -> int:
    """Shift to the right by 0 to 63 bits."""
    return number >> _shift(bits)


def negate(number: int) -> int:
    """The number with the other sign."""
    return in_range(-number)


def invert(number: int) -> int:
    """All bits inverted: -1 - number."""
    return in_range(~number)


def _shift(bits: int) -> int:
    if not 0 <= bits <= MAX_SHIFT:
        raise EvaluationError(f"a shift by {bits} bits: 0 to {MAX_SHIFT} are possible")
    return bits


def contains(work: Work, part: bytes, whole: bytes) -> bool:
    """Whether the bytes are part of others."""
    if len(whole) > FREE_BYTES:
        work.charge(len(whole) // SCAN_SHARE)
    return part in whole


def index(data: bytes, at: int) -> int:
    """The byte at an index, as a number; negative indexes count from the end."""
    try:
        return data[at]
    except IndexError:
        raise EvaluationError(f"there is no byte {at}: there are {len(data)}") from None


def concatenate(work: Work, values: Sequence[Value]) -> Value:
    """Join bytes."""
    joined = partial(_join, work)
    parts: list[Value] = []
    for value in values:
        if parts and parts[-1].constant is not None and value.constant is not None:
            parts[-1] = apply(joined, [parts[-1], value], Type.BYTES)
        else:
            parts.append(value)
    return parts[0] if len(parts) == 1 else apply(joined, parts, Type.BYTES)


def _join(work: Work, *parts: bytes) -> bytes:
    size = sum(map(len, parts))
    if size > FREE_BYTES:
        bounded(size)
        work.charge(size)
    return b"".join(parts)


def cut(work: Work, data: Value, start: Value | None, stop: Value | None) -> Value:
    """A slice of bytes: what is past the end is empty."""
    bounds = [bound for bound in (start, stop) if bound is not None]
    if any(bound.constant is None for bound in bounds):
        first, last = start or _OPEN, stop or _OPEN
        of, start_of, stop_of = data.of, first.of, last.of

        def varying(context: RequestContext) -> bytes:
            return _cut(work, of(context), slice(start_of(context), stop_of(context)))

        return Value(Type.BYTES, varying, reads_of([data, *bounds]), None, 1 + weight_of([data, *bounds]))
    part = slice(start.constant if start else None, stop.constant if stop else None)
    return apply(lambda whole: _cut(work, whole, part), [data], Type.BYTES)


_OPEN: Final = Value(Type.INT, lambda _context: None)
"""The bound of a slice that is not given."""


def _cut(work: Work, data: bytes, part: slice) -> bytes:
    if len(data) > FREE_BYTES:
        size = len(range(*part.indices(len(data))))
        bounded(size)
        work.charge(size)
    return data[part]


def compare(values: Sequence[Value], comparisons: Sequence[Callable[[Any, Any], bool]]) -> Value:
    """Compare each value with the next: whether all comparisons hold."""
    if len(comparisons) == 1:
        return apply(comparisons[0], values, Type.BOOL)
    first, *others = (value.of for value in values)
    pairs = list(zip(comparisons, others, strict=True))

    def chain(context: RequestContext) -> bool:
        left = first(context)
        for holds, of in pairs:
            right = of(context)
            if not holds(left, right):
                return False
            left = right
        return True

    if all(value.constant is not None for value in values):
        pairs_of = zip(comparisons, values, values[1:], strict=False)
        return constant(Type.BOOL, all(holds(left.constant, right.constant) for holds, left, right in pairs_of))
    return Value(Type.BOOL, chain, reads_of(values), None, 1 + weight_of(values))


def both(values: Sequence[Value]) -> Value:
    """Whether all hold: they are evaluated in order, up to the first that does not."""
    return _joined(values, until=False)


def either(values: Sequence[Value]) -> Value:
    """Whether one holds: they are evaluated in order, up to the first that does."""
    return _joined(values, until=True)


def _joined(values: Sequence[Value], *, until: bool) -> Value:
    kept = list(values)
    while len(kept) > 1 and kept[0].constant is (not until):
        del kept[0]
    if kept[0].constant is not None:
        return kept[0]
    if len(kept) == 1:
        return kept[0]
    found: list[Callable[[RequestContext], bool]] = [value.of for value in kept]

    def joined(context: RequestContext) -> bool:
        for of in found:
            if of(context) is until:
                return until
        return not until

    return Value(Type.BOOL, joined, reads_of(kept), None, weight_of(kept))


def opposite(value: Value) -> Value:
    """Whether it does not hold."""
    return apply(lambda held: not held, [value], Type.BOOL)


def choose(condition: Value, then: Value, otherwise: Value) -> Value:
    """One value or another; only the chosen one is evaluated."""
    if condition.constant is not None:
        return then if condition.constant else otherwise
    holds, one, other = condition.of, then.of, otherwise.of
    values = [condition, then, otherwise]
    of = lambda context: one(context) if holds(context) else other(context)  # noqa: E731
    return Value(then.type, of, reads_of(values), None, weight_of(values))
