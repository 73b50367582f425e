"""The expressions of a configuration: in templates, in sizes and in conditions.

    scanner      literals, tokens, bounds
    compiler     the tree of `ast`: a closed list of nodes, types, constants folded
    lookup       what a name means: the context, captures, variables, fields of a framing
    names, operators, functions     what there is, each with its description and an example
    template     text with `${…}` in it

A configuration is never evaluated as code: `ast` only parses, and the result is composed of the functions in `core`.
"""

from typing import Any

from answerback.core.context import RequestContext
from answerback.core.expressions import MAX_WORK, EvaluationError, Reads, Type, Value, Work
from answerback.core.expressions.values import Evaluate
from answerback.language.expressions import old_grammar
from answerback.language.expressions.comparison import comparison_in, sides_of
from answerback.language.expressions.compiler import compile_source
from answerback.language.expressions.errors import ExpressionError
from answerback.language.expressions.lookup import is_reserved, is_variable
from answerback.language.expressions.names import FramingField
from answerback.language.expressions.scanner import scan
from answerback.language.expressions.scope import Scope
from answerback.language.expressions.template import compile_template
from answerback.language.expressions.types import NOUNS, instead

__all__ = [
    "EvaluationError",
    "ExpressionError",
    "FramingField",
    "Reads",
    "Scope",
    "Type",
    "Value",
    "comparison_in",
    "compile_expression",
    "compile_template",
    "is_reserved",
    "is_variable",
    "sides_of",
]


def compile_expression(text: str, wanted: Type, scope: Scope) -> Value:
    """Compile an expression that must have a type; each evaluation counts its work from 0.

    Raises ExpressionError.
    """
    former = old_grammar.size(text)
    if former is not None:
        raise ExpressionError(f"an expression is written without ${{ }} here: write {former}", 0)
    source = scan(text, captures=scope.captures.names)
    work = Work()
    value = compile_source(source, scope, work)
    if value.type is not wanted:
        hint = instead(wanted, value.type, source.code if source.code.isidentifier() else "x")
        raise ExpressionError(f"{NOUNS[wanted]} is expected, and this is {NOUNS[value.type]}: {hint}", source.start)
    return (
        value
        if value.constant is not None
        else Value(value.type, _with_budget(value.of, work), value.reads, None, value.weight, work.is_used)
    )


def _with_budget(of: Evaluate, work: Work) -> Evaluate:
    def evaluate(context: RequestContext) -> Any:
        work.left = MAX_WORK
        return of(context)

    return evaluate
