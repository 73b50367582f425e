"""Literals, names, indexes and slices."""

import ast
from collections.abc import Callable
from typing import Any, Final

from answerback.core.expressions import Reads, Type, Value, names, operators
from answerback.core.expressions.values import LARGEST, apply, apply_in_context, constant
from answerback.language.expressions import lookup
from answerback.language.expressions.names import SHARED
from answerback.language.expressions.nodes.base import NodeCompiler, Nodes, dotted_name
from answerback.language.expressions.scope import Scope
from answerback.language.expressions.types import NOUNS


def _constant(compiler: NodeCompiler, node: ast.Constant, _depth: int) -> Value:
    given = node.value
    if isinstance(given, str):
        return constant(Type.BYTES, compiler.source.literals[compiler.column(node)])
    if isinstance(given, bool):
        return constant(Type.BOOL, given)
    if isinstance(given, int):
        if given > LARGEST:
            raise compiler.error("too large: ints are -2**63 to 2**64 - 1", node)
        return constant(Type.INT, given)
    raise compiler.error("there are bytes, ints, True and False in an expression", node)


def _name(compiler: NodeCompiler, node: ast.Name | ast.Attribute, _depth: int) -> Value:
    dotted = dotted_name(node)
    if dotted is None:
        raise compiler.error("a dot stands only in names, as in vars.user", node)
    return _looked_up(compiler, dotted, node)


def _looked_up(compiler: NodeCompiler, dotted: str, node: ast.expr) -> Value:
    try:
        return lookup.name(dotted, compiler.scope)
    except ValueError as problem:
        raise compiler.error(str(problem), node) from None


def _subscript(compiler: NodeCompiler, node: ast.Subscript, depth: int) -> Value:
    dotted = dotted_name(node.value)
    if dotted is not None and (keyed := lookup.KEYED.get(dotted)) is not None:
        return _keyed(compiler, keyed, dotted, node)
    if dotted == SHARED:
        return shared(compiler, node.slice, names.shared, Type.BYTES, depth)
    field = compiler.scope.fields.get(dotted or "")
    if field is not None and field.index:
        at = compiler.typed(node.slice, Type.INT, f"an index of {dotted}", depth + 1)
        return apply_in_context(field.of, [at], field.type, field.reads, field.weight)
    data = compiler.value(node.value, depth + 1)
    if data.type is not Type.BYTES:
        raise compiler.error(f"only bytes have indexes and slices, and this is {NOUNS[data.type]}", node.value)
    if not isinstance(node.slice, ast.Slice):
        return apply(operators.index, [data, compiler.typed(node.slice, Type.INT, "an index", depth + 1)], Type.INT)
    if node.slice.step is not None:
        raise compiler.error("a slice has no step; reverse(x) turns bytes round", node.slice.step)
    start, stop = (
        None if bound is None else compiler.typed(bound, Type.INT, "the bound of a slice", depth + 1)
        for bound in (node.slice.lower, node.slice.upper)
    )
    return operators.cut(compiler.work, data, start, stop)


def shared(compiler: NodeCompiler, key: ast.expr, of: Callable[..., Any], result: Type, depth: int) -> Value:
    """Compile what depends on the shared variable of a key."""
    if isinstance(key, ast.Slice):
        raise compiler.error("the key of a shared variable is expected: write shared['KEY']", key)
    return apply_in_context(of, [compiler.typed(key, Type.BYTES, "a key of shared", depth + 1)], result, Reads.SHARED)


def _keyed(compiler: NodeCompiler, keyed: Callable[[Any, Scope], Value], dotted: str, node: ast.Subscript) -> Value:
    given = node.slice
    if not isinstance(given, ast.Constant) or isinstance(given.value, bool):
        raise compiler.error(f"{dotted}[…] takes a literal", given)
    key = compiler.source.literals[compiler.column(given)] if isinstance(given.value, str) else given.value
    try:
        return keyed(key, compiler.scope)
    except ValueError as problem:
        raise compiler.error(str(problem), given) from None


NODES: Final[Nodes] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _name,
    ast.Subscript: _subscript,
}
