"""Operators, comparisons and conditions."""

import ast
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from answerback.core.expressions import Type, Value, Work, names, operators
from answerback.core.expressions.values import apply
from answerback.language.expressions.names import SHARED
from answerback.language.expressions.nodes.base import NodeCompiler, Nodes, dotted_name
from answerback.language.expressions.nodes.values import shared
from answerback.language.expressions.operators import ARITHMETIC, ORDER, UNARY
from answerback.language.expressions.scanner import MAX_DEPTH
from answerback.language.expressions.types import expected, mixed


def _binary(compiler: NodeCompiler, node: ast.BinOp, depth: int) -> Value:
    if isinstance(node.op, ast.Add):
        return _sum(compiler, node, depth)
    found = ARITHMETIC.get(type(node.op))
    if found is None:
        raise compiler.error("there are + - * // % & | ^ << >>", node)
    name = _dashed(node) if isinstance(node.op, ast.Sub) else None
    if name is not None:
        raise compiler.error(f"`-` takes ints; for a variable with a - in its name, write {name}", node)
    what = f"`{found.symbol}`"
    values = [compiler.typed(operand, Type.INT, what, depth + 1) for operand in (node.left, node.right)]
    return apply(found.of, values, Type.INT)


def _sum(compiler: NodeCompiler, node: ast.BinOp, depth: int) -> Value:
    """Compile `a + b + c`, of bytes in one operation."""
    operands: list[ast.expr] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
        operands.append(left.right)
        left = left.left
    operands.append(left)
    operands.reverse()
    values = [compiler.value(operand, depth + 1) for operand in operands]
    kind = values[0].type
    for value, operand in zip(values, operands, strict=True):
        if value.type is Type.BOOL or value.type is not kind:
            raise compiler.error(
                mixed("+", kind, value.type, compiler.text(operands[0]), compiler.text(operand)), operand
            )
    if kind is Type.BYTES:
        return operators.concatenate(compiler.work, values)
    if len(operands) + depth > MAX_DEPTH:
        raise compiler.error(f"nested more than {MAX_DEPTH} deep", node)
    total = values[0]
    for value in values[1:]:
        total = apply(ARITHMETIC[ast.Add].of, [total, value], Type.INT)
    return total


def _unary(compiler: NodeCompiler, node: ast.UnaryOp, depth: int) -> Value:
    if isinstance(node.op, ast.Not):
        return operators.opposite(_condition(compiler, node.operand, "`not`", depth))
    found = UNARY.get(type(node.op))
    if found is None:
        raise compiler.error("there is no + before a value", node)
    return apply(found.of, [compiler.typed(node.operand, Type.INT, f"`{found.symbol}`", depth + 1)], Type.INT)


def _boolean(compiler: NodeCompiler, node: ast.BoolOp, depth: int) -> Value:
    both = isinstance(node.op, ast.And)
    conditions = [_condition(compiler, each, "`and`" if both else "`or`", depth) for each in node.values]
    return operators.both(conditions) if both else operators.either(conditions)


def _condition(compiler: NodeCompiler, node: ast.expr, what: str, depth: int) -> Value:
    return compiler.typed(node, Type.BOOL, what, depth + 1)


def _choice(compiler: NodeCompiler, node: ast.IfExp, depth: int) -> Value:
    condition = _condition(compiler, node.test, "the condition of `if`", depth)
    then, otherwise = compiler.value(node.body, depth + 1), compiler.value(node.orelse, depth + 1)
    if then.type is not otherwise.type:
        texts = compiler.text(node.body), compiler.text(node.orelse)
        raise compiler.error(mixed("if … else", then.type, otherwise.type, *texts), node.orelse)
    return operators.choose(condition, then, otherwise)


def _compare(compiler: NodeCompiler, node: ast.Compare, depth: int) -> Value:
    if (
        isinstance(node.ops[0], ast.In | ast.NotIn)
        and dotted_name(node.comparators[0]) == SHARED
        and len(node.ops) == 1
    ):
        is_set = shared(compiler, node.left, names.is_shared, Type.BOOL, depth)
        return operators.opposite(is_set) if isinstance(node.ops[0], ast.NotIn) else is_set
    operands = [node.left, *node.comparators]
    values = [compiler.value(operand, depth + 1) for operand in operands]
    comparisons: list[Callable[[Any, Any], bool]] = []
    for index, comparison in enumerate(node.ops):
        left, right = values[index], values[index + 1]
        texts = compiler.text(operands[index]), compiler.text(operands[index + 1])
        if isinstance(comparison, ast.In | ast.NotIn):
            for value, operand in ((left, operands[index]), (right, operands[index + 1])):
                if value.type is not Type.BYTES:
                    raise compiler.error(expected("`in`", Type.BYTES, value.type, compiler.text(operand)), operand)
            comparisons.append(_inside(compiler.work, inverted=isinstance(comparison, ast.NotIn)))
            continue
        found = ORDER.get(type(comparison))
        if found is None:
            raise compiler.error("there is no `is`: write ==", operands[index + 1])
        if left.type is not right.type:
            raise compiler.error(mixed(found.symbol, left.type, right.type, *texts), operands[index + 1])
        if left.type is Type.BOOL and not isinstance(comparison, ast.Eq | ast.NotEq):
            raise compiler.error(f"`{found.symbol}` takes bytes or ints", operands[index])
        comparisons.append(found.of)
    return operators.compare(values, comparisons)


def _dashed(node: ast.BinOp) -> str | None:
    """The form of a variable whose name has a `-` in it, if this may be one."""
    left, right = dotted_name(node.left), dotted_name(node.right)
    if left is None or right is None or "." in right or not left.startswith("vars."):
        return None
    return f"vars['{left[5:]}-{right}']"


def _inside(work: Work, *, inverted: bool) -> Callable[[bytes, bytes], bool]:
    if inverted:
        return lambda part, whole: not operators.contains(work, part, whole)
    return partial(operators.contains, work)


NODES: Final[Nodes] = {
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.IfExp: _choice,
    ast.Compare: _compare,
}
