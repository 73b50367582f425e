"""Functions that look into bytes: for a pattern, and for a value of a JSON text."""

from answerback.core import patterns
from answerback.core.expressions import Type
from answerback.core.expressions.errors import LOOP_COST
from answerback.core.expressions.functions import searching
from answerback.language.expressions.functions.base import Function, Parameter, Prepared, X, register, text_of


def _matching(pattern: bytes) -> Prepared:
    text = text_of(pattern)
    try:
        return Prepared(searching.matching(text), searching.cost_of(text))
    except patterns.PatternError as problem:
        raise ValueError(f"invalid RE2: {problem}") from None


def _reading(path: bytes) -> Prepared:
    return Prepared(searching.json_value(searching.path_of(text_of(path))))


register(
    Function(
        "matches",
        (X, Parameter("pattern", Type.BYTES, literal=True, pattern=True)),
        Type.BOOL,
        "whether an RE2 [pattern](patterns.md) matches somewhere",
        "'yes' if matches(request, '^[A-Z]+ ') else 'no'",
        "yes",
        prepare=_matching,
    ),
    Function(
        "json",
        (X, Parameter("path", Type.BYTES, literal=True)),
        Type.BYTES,
        "the value at a path of a JSON text: a string as UTF-8, anything else as compact JSON; fails if there is none",
        """json('{"a": [1, {"b": "x"}]}', 'a[1].b')""",
        "x",
        prepare=_reading,
        cost=LOOP_COST,
    ),
)
