"""Typed values of expressions: functions of the context, composed when an expression is compiled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import Any, Final

from answerback.core.context import RequestContext

# Rule: types are checked when an expression is compiled; evaluation checks none.
# Rule: a value that does not depend on the context is computed when it is compiled, and kept in `constant`.

SMALLEST: Final = -(1 << 63)
LARGEST: Final = (1 << 64) - 1

Evaluate = Callable[[RequestContext], Any]


class Type(Enum):
    """The type of a value."""

    BYTES = "bytes"
    INT = "int"
    BOOL = "bool"


class Reads(Flag):
    """What a value depends on."""

    NOTHING = 0
    REQUEST = auto()
    """The bytes of the request."""
    CAPTURES = auto()
    """The groups of patterns that matched the request."""
    STATE = auto()
    CONNECTION = auto()
    """The connection: its addresses, its variables, the number of the request."""
    CHANCE = auto()
    CLOCK = auto()
    SHARED = auto()
    """The variables that all connections share."""
    FRAMING = auto()
    """What the framing knows about the request beside its bytes."""


OF_REQUEST: Final = Reads.REQUEST | Reads.CAPTURES | Reads.FRAMING
"""What only exists for a request; other events have none of it."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value. `of` raises EvaluationError where it has none."""

    type: Type
    of: Evaluate
    reads: Reads = Reads.NOTHING
    constant: bytes | int | bool | None = None
    """The value itself, if it is always the same."""
    weight: int = 1
    """The cost of an evaluation, as that of a match: see `matching.effort.Effort.weight`."""
    counts_work: bool = False
    """Whether its work depends on the length of values: see `matching.effort.Effort.counts_work`."""


def constant(kind: Type, value: bytes | int | bool) -> Value:
    """A value that is always the same."""
    return Value(kind, lambda _context: value, Reads.NOTHING, value)


def apply(function: Callable[..., Any], arguments: Sequence[Value], result: Type, weight: int = 1) -> Value:
    """Apply a function that depends on its arguments alone; at once if they are constant.

    Raises EvaluationError if the result is constant, and the function fails.
    """
    constants = [argument.constant for argument in arguments]
    if None not in constants:
        return constant(result, function(*constants))
    return Value(result, _called(function, arguments), reads_of(arguments), None, weight + weight_of(arguments))


def apply_in_context(
    function: Callable[..., Any], arguments: Sequence[Value], result: Type, reads: Reads, weight: int = 1
) -> Value:
    """Apply a function whose first argument is the context, of which it reads this."""
    of = _called_in_context(function, arguments)
    return Value(result, of, reads | reads_of(arguments), None, weight + weight_of(arguments))


def reads_of(values: Sequence[Value]) -> Reads:
    """What any of the values depends on."""
    found = Reads.NOTHING
    for value in values:
        found |= value.reads
    return found


def weight_of(values: Sequence[Value]) -> int:
    """The cost of evaluating all of the values."""
    return sum(value.weight for value in values)


def _called_in_context(function: Callable[..., Any], arguments: Sequence[Value]) -> Evaluate:
    """Call a function with the context and the arguments' values; the usual cases without a loop."""
    if not arguments:
        return function
    found = [argument.of for argument in arguments]
    if len(arguments) > 1:
        return lambda context: function(context, *[each(context) for each in found])
    first, constant = found[0], arguments[0].constant
    if constant is not None:
        return lambda context: function(context, constant)
    return lambda context: function(context, first(context))


def _called(function: Callable[..., Any], arguments: Sequence[Value]) -> Evaluate:
    """Call a function with the arguments' values; the usual cases without a loop."""
    found = [argument.of for argument in arguments]
    first, last = found[0], found[-1]
    if len(arguments) == 1:
        return lambda context: function(first(context))
    if len(arguments) > 2:
        return lambda context: function(*[of(context) for of in found])
    one, other = arguments[0].constant, arguments[1].constant
    if other is not None:
        return lambda context: function(first(context), other)
    if one is not None:
        return lambda context: function(one, last(context))
    return lambda context: function(first(context), last(context))
