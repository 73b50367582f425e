"""The match by an expression."""

from dataclasses import dataclass
from typing import Any, Final

from answerback.core.context import RequestContext
from answerback.core.escapes import quote
from answerback.core.expressions import EvaluationError, Reads, Value
from answerback.core.matching.base import Explainer, Matcher, Mismatch
from answerback.core.matching.effort import Effort, by_bytes, with_effort

# Rule: an expression that fails is false.

_OF_BYTES: Final = Reads.REQUEST | Reads.CAPTURES
"""What the bytes of a request determine."""


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression that is a bool."""

    value: Value
    text: str
    """As it is written."""
    sides: tuple[Value, Value] | None = None
    """The two values, if it is a comparison of them."""


def expression(condition: Condition) -> Matcher:
    """The condition is true."""
    of = condition.value.of

    def matches(_request: bytes, context: RequestContext) -> bool:
        try:
            holds: bool = of(context)
        except EvaluationError:
            return False
        return holds

    by_bytes = condition.value.reads in _OF_BYTES
    return with_effort(matches, Effort(condition.value.weight, by_bytes, counts_work=condition.value.counts_work))


def slice_equals(part: slice, literal: bytes, *, negated: bool = False) -> Matcher:
    """A slice of the request is this literal, or it is not; for slices of bounded length, which cannot fail."""
    if negated:
        return by_bytes(lambda request, _context: request[part] != literal)
    return by_bytes(lambda request, _context: request[part] == literal)


def explain_expression(condition: Condition) -> Explainer:
    """Explain `expression`: by the two values, if it is a comparison."""

    def explain(_request: bytes, context: RequestContext) -> Mismatch | None:
        try:
            if condition.value.of(context):
                return None
            if condition.sides is None:
                return Mismatch(f"does not fulfil {condition.text}")
            left, right = (_shown(value.of(context)) for value in condition.sides)
        except EvaluationError as problem:
            return Mismatch(f"does not fulfil {condition.text}: {problem}")
        return Mismatch(f"does not fulfil {condition.text}: the values are {left} and {right}")

    return explain


def _shown(value: Any) -> str:
    return quote(value) if isinstance(value, bytes) else str(value)
