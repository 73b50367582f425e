"""Calls of functions, and of fields that take arguments."""

import ast
from collections.abc import Callable, Sequence
from typing import Any, Final

from answerback.core.expressions import Reads, Type, Value, Work
from answerback.core.expressions.errors import FREE_BYTES
from answerback.core.expressions.values import apply, apply_in_context
from answerback.language.expressions import lookup
from answerback.language.expressions.functions import FUNCTIONS, Function
from answerback.language.expressions.nodes.base import NodeCompiler, Nodes, dotted_name


def _call(compiler: NodeCompiler, node: ast.Call, depth: int) -> Value:
    dotted = dotted_name(node.func)
    if node.keywords:
        raise compiler.error("arguments have no names", node.keywords[0].value)
    field = compiler.scope.fields.get(dotted or "")
    if field is not None and field.arguments:
        return _field(compiler, field.name, field.arguments, node, depth)
    function = FUNCTIONS.get(dotted or "")
    if function is None:
        raise compiler.error(lookup.no_function(dotted, compiler.scope), node.func)
    if len(node.args) < function.least or len(node.args) > (function.most or len(node.args)):
        raise compiler.error(f"{len(node.args)} arguments; write {function.form}", node)
    return _applied(compiler, function, node, depth)


def _field(compiler: NodeCompiler, name: str, types: Sequence[Type], node: ast.Call, depth: int) -> Value:
    if len(node.args) != len(types):
        raise compiler.error(f"{name} takes {len(types)}, not {len(node.args)} arguments", node)
    pairs = zip(node.args, types, strict=True)
    values = [compiler.typed(given, wanted, f"an argument of {name}", depth + 1) for given, wanted in pairs]
    field = compiler.scope.fields[name]
    return apply_in_context(field.of, values, field.type, field.reads, field.weight)


def _applied(compiler: NodeCompiler, function: Function, node: ast.Call, depth: int) -> Value:
    parameters = function.parameters
    values: list[Value] = []
    literals: list[Any] = []
    for index, given in enumerate(node.args):
        parameter = parameters[min(index, len(parameters) - 1)]
        value = compiler.typed(given, parameter.type, function.form, depth + 1)
        if not parameter.literal:
            values.append(value)
            continue
        if value.constant is None:
            raise compiler.error(f"{parameter.name} of {function.form} is a literal", given)
        literals.append(value.constant)
        if parameter.pattern:
            _accept(compiler, value.constant, given)
    return _made(compiler, function, values, literals, node)


def _made(
    compiler: NodeCompiler, function: Function, values: Sequence[Value], literals: Sequence[Any], node: ast.Call
) -> Value:
    of, cost = function.of, function.cost
    if function.prepare is not None:
        count = sum(parameter.literal for parameter in function.parameters)
        try:
            prepared = function.prepare(*literals, *[None] * (count - len(literals)))
        except ValueError as problem:
            raise compiler.error(str(problem), node) from None
        of, cost = prepared.of, prepared.cost or cost
    assert of is not None, "a function has a runtime"
    within = function.reads is not Reads.NOTHING
    places = [index + within for index, value in enumerate(values) if value.type is Type.BYTES]
    alone = len(values) + within == 1
    charged = _charged(compiler.work, of, places, cost, alone=alone, result=function.result)
    if within:
        return apply_in_context(charged, values, function.result, function.reads, cost)
    return apply(charged, values, function.result, cost)


def _accept(compiler: NodeCompiler, pattern: Any, node: ast.expr) -> None:
    try:
        compiler.scope.accept_pattern(pattern.decode("utf-8", "replace"))
    except ValueError as problem:
        raise compiler.error(str(problem), node) from None


def _charged(
    work: Work, of: Callable[..., Any], places: Sequence[int], cost: int, *, alone: bool, result: Type
) -> Callable[..., Any]:
    """Count what a function reads, in the arguments at these places, and what it writes.

    `alone`: there is one argument only.
    """
    writes = result is Type.BYTES
    if not places and not writes:
        return of

    def charged(*arguments: Any) -> Any:
        size = cost * sum([len(arguments[place]) for place in places])
        if size > FREE_BYTES:
            work.charge(size)
        made = of(*arguments)
        if writes and len(made) > FREE_BYTES:
            work.charge(len(made))
        return made

    if places != [0] or not alone:
        return charged

    def charged_for_one(data: bytes) -> Any:
        size = cost * len(data)
        if size > FREE_BYTES:
            work.charge(size)
        made = of(data)
        if writes and len(made) > FREE_BYTES:
            work.charge(len(made))
        return made

    return charged_for_one


NODES: Final[Nodes] = {ast.Call: _call}
