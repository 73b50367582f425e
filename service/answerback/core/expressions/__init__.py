"""Expressions: functions of a request's context, composed of typed values when a configuration is compiled.

    values       bytes, ints and bools; what each depends on
    names        what is read of the context
    operators    arithmetic, comparisons, slices, `and`, `or`, `not`, a choice
    functions    a module for each family
    template     text with values in it, rendered in one operation
    errors       evaluations that fail, and their bounds

Nothing here parses: `language.expressions` does, and checks types. Nothing of a configuration is evaluated as code.
"""

from answerback.core.expressions.errors import MAX_OUTPUT, MAX_WORK, EvaluationError, SearchTooLong, TooLongError, Work
from answerback.core.expressions.template import Template
from answerback.core.expressions.values import Reads, Type, Value

__all__ = [
    "MAX_OUTPUT",
    "MAX_WORK",
    "EvaluationError",
    "Reads",
    "SearchTooLong",
    "Template",
    "TooLongError",
    "Type",
    "Value",
    "Work",
]
