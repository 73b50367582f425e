"""Values: what stands between `${` and `}`, as a function of the turn; and how one kind is taken for the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from answerback.core.turn import Turn

# Rule: whether a value is bytes or a number is settled when it is compiled; nothing looks at types while rendering.
# Rule: what does not depend on the turn is worked out when it is compiled: `constant` says so, and what it is.

LARGEST: Final = (1 << 64) - 1  # a number has 64 bits, and no sign

_A = TypeVar("_A")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Bytes:
    """A value that is bytes."""

    of: Callable[[Turn], bytes]
    constant: bytes | None = None
    packed: bool = False
    """Made of a number by `u…`, `or` or `xor`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value that is a number, from 0 to `LARGEST`; it is sent as decimal digits."""

    of: Callable[[Turn], int]
    constant: int | None = None


Value = Bytes | Number


def literal(data: bytes) -> Bytes:
    """These bytes."""
    return Bytes(lambda _turn: data, data)


def number(value: int) -> Number:
    """This number."""
    return Number(lambda _turn: value, value)


def as_bytes(value: Value) -> Bytes:
    """Where bytes are expected, a number is its decimal digits."""
    if isinstance(value, Bytes):
        return value
    return Bytes(*_composed(lambda amount: b"%d" % amount, value.of, value.constant))


def as_number(value: Value) -> Number:
    """Where a number is expected, bytes are read big-endian."""
    if isinstance(value, Number):
        return value
    return Number(*_composed(read_number, value.of, value.constant))


def bytes_by(function: Callable[[bytes], bytes], value: Value) -> Bytes:
    """What the function makes of bytes, which is bytes."""
    argument = as_bytes(value)
    return Bytes(*_composed(function, argument.of, argument.constant))


def number_by(function: Callable[[bytes], int], value: Value) -> Number:
    """What the function makes of bytes, which is a number."""
    argument = as_bytes(value)
    return Number(*_composed(function, argument.of, argument.constant))


def bytes_of_number(function: Callable[[int], bytes], value: Value, *, packed: bool) -> Bytes:
    """What the function makes of a number, which is bytes."""
    argument = as_number(value)
    return Bytes(*_composed(function, argument.of, argument.constant), packed)


def byte_of_numbers(function: Callable[[int, int], int], first: Value, second: Value) -> Bytes:
    """The low byte of what the function makes of two numbers."""
    one, other = as_number(first), as_number(second)
    if one.constant is not None and other.constant is not None:
        data = bytes((function(one.constant, other.constant) & 0xFF,))
        return Bytes(lambda _turn: data, data, packed=True)
    left, right = one.of, other.of
    return Bytes(lambda turn: bytes((function(left(turn), right(turn)) & 0xFF,)), packed=True)


def read_number(data: bytes) -> int:
    """The number that bytes are, big-endian: the last eight of them; 0 if there are none."""
    return int.from_bytes(data[-8:], "big")


def _composed(
    function: Callable[[_A], _R], of: Callable[[Turn], _A], constant: _A | None
) -> tuple[Callable[[Turn], _R], _R | None]:
    """The function of the value; worked out now if the value is constant."""
    if constant is None:
        return lambda turn: function(of(turn)), None
    result = function(constant)
    return lambda _turn: result, result
