"""Values, written between `${` and `}`: functions of the context, and conversions between bytes and numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from answerback.core.context import RequestContext

# Rule: whether a value is bytes or a number is decided at compile time; rendering checks no types.
# Rule: a value that does not depend on the context is computed at compile time, and kept in `constant`.

LARGEST: Final = (1 << 64) - 1  # a number has 64 bits, and no sign

_A = TypeVar("_A")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Bytes:
    """A value of type bytes."""

    of: Callable[[RequestContext], bytes]
    constant: bytes | None = None
    packed: bool = False
    """Whether it was made from a number by `u…`, `or` or `xor`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value of type number, 0 to `LARGEST`; it is sent as decimal digits."""

    of: Callable[[RequestContext], int]
    constant: int | None = None


Value = Bytes | Number


def literal(data: bytes) -> Bytes:
    """A constant value."""
    return Bytes(lambda _turn: data, data)


def number(value: int) -> Number:
    """A constant number."""
    return Number(lambda _turn: value, value)


def as_bytes(value: Value) -> Bytes:
    """Convert to bytes: a number becomes its decimal digits."""
    if isinstance(value, Bytes):
        return value
    return Bytes(*_composed(lambda amount: b"%d" % amount, value.of, value.constant))


def as_number(value: Value) -> Number:
    """Convert to a number: bytes are read big-endian."""
    if isinstance(value, Number):
        return value
    return Number(*_composed(read_number, value.of, value.constant))


def bytes_by(function: Callable[[bytes], bytes], value: Value) -> Bytes:
    """Apply a function from bytes to bytes."""
    argument = as_bytes(value)
    return Bytes(*_composed(function, argument.of, argument.constant))


def number_by(function: Callable[[bytes], int], value: Value) -> Number:
    """Apply a function from bytes to a number."""
    argument = as_bytes(value)
    return Number(*_composed(function, argument.of, argument.constant))


def bytes_of_number(function: Callable[[int], bytes], value: Value, *, packed: bool) -> Bytes:
    """Apply a function from a number to bytes."""
    argument = as_number(value)
    return Bytes(*_composed(function, argument.of, argument.constant), packed)


def byte_of_numbers(function: Callable[[int, int], int], first: Value, second: Value) -> Bytes:
    """Apply a function to two numbers; the value is the low byte of its result."""
    one, other = as_number(first), as_number(second)
    if one.constant is not None and other.constant is not None:
        data = bytes((function(one.constant, other.constant) & 0xFF,))
        return Bytes(lambda _turn: data, data, packed=True)
    left, right = one.of, other.of
    return Bytes(lambda context: bytes((function(left(context), right(context)) & 0xFF,)), packed=True)


def read_number(data: bytes) -> int:
    """Read bytes as a big-endian number: the last eight of them; 0 if there are none."""
    return int.from_bytes(data[-8:], "big")


def _composed(
    function: Callable[[_A], _R], of: Callable[[RequestContext], _A], constant: _A | None
) -> tuple[Callable[[RequestContext], _R], _R | None]:
    """Compose the function with a value; computed now if the value is constant."""
    if constant is None:
        return lambda context: function(of(context)), None
    result = function(constant)
    return lambda _turn: result, result
