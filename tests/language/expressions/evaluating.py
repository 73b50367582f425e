"""Evaluating expressions as a rule would."""

from typing import Any

from answerback.core.expressions import EvaluationError, Type
from answerback.language.captures import Captures
from answerback.language.expressions import ExpressionError, Scope, compile_expression, compile_template
from tests.core.turns import Groups, MadeUp

SCOPE = Scope(captures=Captures(frozenset({"body", "what", "from"}), 2), rule="store")
FAILED = "failed"


def value_of(text: str, turn: MadeUp | None = None, scope: Scope = SCOPE) -> Any:
    """The value of an expression, of whatever type; FAILED if it has none."""
    compiled = compile_expression(text, type_of(text, scope), scope)
    try:
        return compiled.of(turn or MadeUp())
    except EvaluationError:
        return FAILED


def type_of(text: str, scope: Scope = SCOPE) -> Type:
    """The type of an expression."""
    for wanted in Type:
        try:
            return compile_expression(text, wanted, scope).type
        except ExpressionError as problem:
            if not problem.message.partition(", and this is ")[2]:
                raise
    raise AssertionError(text)


def rendered(text: str, turn: MadeUp | None = None, scope: Scope = SCOPE) -> bytes:
    """What a template makes."""
    return compile_template(text, scope).render(turn or MadeUp())


def rejected(text: str, wanted: Type = Type.BYTES, scope: Scope = SCOPE) -> tuple[str, int]:
    """Why an expression is rejected, and where."""
    try:
        compile_expression(text, wanted, scope)
    except ExpressionError as problem:
        return problem.message, problem.position
    raise AssertionError(f"{text} is an expression")


def rejected_template(text: str, scope: Scope = SCOPE) -> tuple[str, int]:
    """Why a template is rejected, and where."""
    try:
        compile_template(text, scope)
    except ExpressionError as problem:
        return problem.message, problem.position
    raise AssertionError(f"{text} is a template")


def captured(**groups: bytes | None) -> MadeUp:
    """The turn of a request with these named groups."""
    return MadeUp(captures=Groups({name.encode(): data for name, data in groups.items()}))
