"""Conditions that only compare the request, or a slice of it, with a literal: they are matches of a simpler kind."""

import ast
from dataclasses import dataclass
from typing import Final

from answerback.core.expressions import Type, Value, Work
from answerback.language.expressions.compiler import compile_node, parse
from answerback.language.expressions.errors import ExpressionError
from answerback.language.expressions.names import SHARED
from answerback.language.expressions.scanner import MAX_SOURCE, Source, scan
from answerback.language.expressions.scope import Scope

_NAME: Final = "request"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`request[part] == literal`, or its opposite."""

    part: slice | None
    """None for the whole request."""
    literal: bytes
    negated: bool


def comparison_in(text: str, scope: Scope) -> Comparison | None:
    """The comparison, if the expression is one and its slice is of bounded length."""
    try:
        source = scan(text, captures=scope.captures.names)
        node = parse(source, scope).body
    except ExpressionError:
        return None
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq | ast.NotEq):
        return None
    for one, other in ((node.left, node.comparators[0]), (node.comparators[0], node.left)):
        literal = _constant(other, Type.BYTES, source, scope)
        if isinstance(literal, bytes) and (found := _part(one, source, scope)) is not None:
            return Comparison(found[0], literal, isinstance(node.ops[0], ast.NotEq))
    return None


def sides_of(text: str, scope: Scope) -> tuple[Value, Value] | None:
    """The two values that an expression compares, if it is a comparison and nothing else."""
    source = scan(text, captures=scope.captures.names)
    node = parse(source, scope).body
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return None
    if isinstance(node.comparators[0], ast.Name) and node.comparators[0].id == SHARED:
        return None  # the shared variables are not a value
    work = Work()
    left, right = (compile_node(each, source, scope, work) for each in (node.left, node.comparators[0]))
    return left, right


def _part(node: ast.expr, source: Source, scope: Scope) -> tuple[slice | None] | None:
    """The slice of the request that a node is."""
    if isinstance(node, ast.Name):
        return (None,) if node.id == _NAME else None
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Slice):
        return None
    if not isinstance(node.value, ast.Name) or node.value.id != _NAME or node.slice.step is not None:
        return None
    bounds = [
        None if bound is None else _constant(bound, Type.INT, source, scope)
        for bound in (node.slice.lower, node.slice.upper)
    ]
    given = [bound is not None for bound in (node.slice.lower, node.slice.upper)]
    if [bound is not None for bound in bounds] != given:
        return None
    part = slice(*bounds)
    return (part,) if _is_bounded(part) else None


def _is_bounded(part: slice) -> bool:
    """Whether the slice is short, however long the request is."""
    start, stop = part.start, part.stop
    if stop is None:
        return start is not None and bool(-MAX_SOURCE <= start < 0)
    if start is None:
        return bool(0 <= stop <= MAX_SOURCE)
    return (start < 0) is (stop < 0) and bool(stop - start <= MAX_SOURCE)


def _constant(node: ast.expr, wanted: Type, source: Source, scope: Scope) -> bytes | int | None:
    try:
        value = compile_node(node, source, scope, Work())
    except ExpressionError:
        return None
    return value.constant if value.type is wanted else None
