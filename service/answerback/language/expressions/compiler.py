"""From the tree of an expression to a typed value: a closed list of nodes, each with its types."""

import ast
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from answerback.core.expressions import EvaluationError, Reads, Type, Value, Work, names, operators
from answerback.core.expressions.errors import FREE_BYTES
from answerback.core.expressions.values import LARGEST, apply, apply_in_context, constant
from answerback.language.expressions import lookup
from answerback.language.expressions.errors import ExpressionError
from answerback.language.expressions.functions import FUNCTIONS, Function
from answerback.language.expressions.names import SHARED
from answerback.language.expressions.operators import ARITHMETIC, ORDER, UNARY
from answerback.language.expressions.scanner import MAX_DEPTH, Source
from answerback.language.expressions.scope import Scope
from answerback.language.expressions.types import NOUNS, expected, mixed

# Rule: a node that has no entry in `_NODES` is rejected: nothing of a configuration runs as code.
# Rule: every error has the position of the node that is wrong.

_REJECTED: Final[dict[type[ast.AST], str]] = {
    ast.Starred: "there are no arguments with *",
    ast.List: "there are no lists in an expression",
    ast.Tuple: "there are no tuples in an expression",
    ast.Slice: "a slice stands behind a value, as in request[4:]",
}


def compile_source(source: Source, scope: Scope, work: Work) -> Value:
    """Compile the text of an expression. Raises ExpressionError."""
    return compile_node(parse(source, scope).body, source, scope, work)


def compile_embedded(source: Source, scope: Scope, work: Work) -> Value:
    """Compile a value of a template: bytes, or an int. Raises ExpressionError."""
    return _Compiler(source, scope, work).embedded(parse(source, scope).body)


def compile_node(node: ast.expr, source: Source, scope: Scope, work: Work) -> Value:
    """Compile a part of an expression. Raises ExpressionError."""
    return _Compiler(source, scope, work).value(node, 1)


def parse(source: Source, scope: Scope) -> ast.Expression:
    """Parse the text of an expression. Every exception of the parser is an ExpressionError."""
    try:
        return ast.parse(source.code, mode="eval")
    except SyntaxError as problem:
        at = source.start + min(max(0, (problem.offset or 1) - 1), len(source.code))
        word = source.code.strip("() ")
        if word in scope.captures.names and word.isidentifier():
            raise ExpressionError(f"{word} is a keyword: write captures['{word}']", source.start) from None
        raise ExpressionError("a value or an operator is missing, or one is too many", at) from None
    except Exception:  # noqa: BLE001 - RecursionError, MemoryError and ValueError among others, by version
        raise ExpressionError("the parser cannot read it: write it in parts", source.start) from None


class _Compiler:
    """Compiles one expression."""

    def __init__(self, source: Source, scope: Scope, work: Work) -> None:
        self._source = source
        self._scope = scope
        self._work = work

    def value(self, node: ast.expr, depth: int) -> Value:
        """Compile a node. Raises ExpressionError."""
        if depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} deep", node)
        compiled = _NODES.get(type(node))
        if compiled is None:
            raise self._error(_REJECTED.get(type(node), "this has no meaning in an expression"), node)
        try:
            value = compiled(self, node, depth)
        except EvaluationError as problem:
            raise self._error(f"fails each time: {problem}", node) from None
        if self._scope.lacks(value.reads):
            raise self._error(f"{self._scope.event} has no request", node)
        return value

    def embedded(self, node: ast.expr) -> Value:
        """Compile the whole value of a template. Raises ExpressionError."""
        value = self.value(node, 1)
        if value.type is Type.BOOL:
            raise self._error("a template takes bytes or an int, not a bool: write 'yes' if x else 'no'", node)
        if isinstance(node, ast.Subscript) and _dotted(node.value) not in self._scope.fields and value.type is Type.INT:
            data, at = self._text(node.value), self._text(node.slice)
            part = f"{data}[{at}:{int(at) + 1}]" if at.isdecimal() else f"{data}[i:i + 1]"
            raise self._error(f"one byte is an int: write {part} for the byte, or str({data}[{at}]) for digits", node)
        return value

    def _typed(self, node: ast.expr, wanted: Type, what: str, depth: int) -> Value:
        """Compile a node that must have a type."""
        value = self.value(node, depth)
        if value.type is not wanted:
            raise self._error(expected(what, wanted, value.type, self._text(node)), node)
        return value

    # ── Literals and names ────────────────────────────────────────────────────────────────────────────────────────

    def _constant(self, node: ast.Constant, _depth: int) -> Value:
        given = node.value
        if isinstance(given, str):
            return constant(Type.BYTES, self._source.literals[self._column(node)])
        if isinstance(given, bool):
            return constant(Type.BOOL, given)
        if isinstance(given, int):
            if given > LARGEST:
                raise self._error("too large: ints are -2**63 to 2**64 - 1", node)
            return constant(Type.INT, given)
        raise self._error("there are bytes, ints, True and False in an expression", node)

    def _name(self, node: ast.Name | ast.Attribute, _depth: int) -> Value:
        dotted = _dotted(node)
        if dotted is None:
            raise self._error("a dot stands only in names, as in vars.user", node)
        return self._looked_up(dotted, node)

    def _looked_up(self, dotted: str, node: ast.expr) -> Value:
        try:
            return lookup.name(dotted, self._scope)
        except ValueError as problem:
            raise self._error(str(problem), node) from None

    def _subscript(self, node: ast.Subscript, depth: int) -> Value:
        dotted = _dotted(node.value)
        if dotted is not None and (keyed := lookup.KEYED.get(dotted)) is not None:
            return self._keyed(keyed, dotted, node)
        if dotted == SHARED:
            return self._shared(node.slice, names.shared, Type.BYTES, depth)
        field = self._scope.fields.get(dotted or "")
        if field is not None and field.index:
            at = self._typed(node.slice, Type.INT, f"an index of {dotted}", depth + 1)
            return apply_in_context(field.of, [at], field.type, field.reads, field.weight)
        data = self.value(node.value, depth + 1)
        if data.type is not Type.BYTES:
            raise self._error(f"only bytes have indexes and slices, and this is {NOUNS[data.type]}", node.value)
        if not isinstance(node.slice, ast.Slice):
            return apply(operators.index, [data, self._typed(node.slice, Type.INT, "an index", depth + 1)], Type.INT)
        if node.slice.step is not None:
            raise self._error("a slice has no step; reverse(x) turns bytes round", node.slice.step)
        start, stop = (
            None if bound is None else self._typed(bound, Type.INT, "the bound of a slice", depth + 1)
            for bound in (node.slice.lower, node.slice.upper)
        )
        return operators.cut(self._work, data, start, stop)

    def _shared(self, key: ast.expr, of: Callable[..., Any], result: Type, depth: int) -> Value:
        """Compile what depends on the shared variable of a key."""
        if isinstance(key, ast.Slice):
            raise self._error("the key of a shared variable is expected: write shared['KEY']", key)
        return apply_in_context(of, [self._typed(key, Type.BYTES, "a key of shared", depth + 1)], result, Reads.SHARED)

    def _keyed(self, keyed: Callable[[Any, Scope], Value], dotted: str, node: ast.Subscript) -> Value:
        given = node.slice
        if not isinstance(given, ast.Constant) or isinstance(given.value, bool):
            raise self._error(f"{dotted}[…] takes a literal", given)
        key = self._source.literals[self._column(given)] if isinstance(given.value, str) else given.value
        try:
            return keyed(key, self._scope)
        except ValueError as problem:
            raise self._error(str(problem), given) from None

    # ── Functions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _call(self, node: ast.Call, depth: int) -> Value:
        dotted = _dotted(node.func)
        if node.keywords:
            raise self._error("arguments have no names", node.keywords[0].value)
        field = self._scope.fields.get(dotted or "")
        if field is not None and field.arguments:
            return self._field(field.name, field.arguments, node, depth)
        function = FUNCTIONS.get(dotted or "")
        if function is None:
            raise self._error(lookup.no_function(dotted, self._scope), node.func)
        if len(node.args) < function.least or len(node.args) > (function.most or len(node.args)):
            raise self._error(f"{len(node.args)} arguments; write {function.form}", node)
        return self._applied(function, node, depth)

    def _field(self, name: str, types: Sequence[Type], node: ast.Call, depth: int) -> Value:
        if len(node.args) != len(types):
            raise self._error(f"{name} takes {len(types)}, not {len(node.args)} arguments", node)
        pairs = zip(node.args, types, strict=True)
        values = [self._typed(given, wanted, f"an argument of {name}", depth + 1) for given, wanted in pairs]
        field = self._scope.fields[name]
        return apply_in_context(field.of, values, field.type, field.reads, field.weight)

    def _applied(self, function: Function, node: ast.Call, depth: int) -> Value:
        parameters = function.parameters
        values: list[Value] = []
        literals: list[Any] = []
        for index, given in enumerate(node.args):
            parameter = parameters[min(index, len(parameters) - 1)]
            value = self._typed(given, parameter.type, function.form, depth + 1)
            if not parameter.literal:
                values.append(value)
                continue
            if value.constant is None:
                raise self._error(f"{parameter.name} of {function.form} is a literal", given)
            literals.append(value.constant)
            if parameter.pattern:
                self._accept(value.constant, given)
        return self._made(function, values, literals, node)

    def _made(self, function: Function, values: Sequence[Value], literals: Sequence[Any], node: ast.Call) -> Value:
        of, cost = function.of, function.cost
        if function.prepare is not None:
            count = sum(parameter.literal for parameter in function.parameters)
            try:
                prepared = function.prepare(*literals, *[None] * (count - len(literals)))
            except ValueError as problem:
                raise self._error(str(problem), node) from None
            of, cost = prepared.of, prepared.cost or cost
        assert of is not None, "a function has a runtime"
        within = function.reads is not Reads.NOTHING
        places = [index + within for index, value in enumerate(values) if value.type is Type.BYTES]
        alone = len(values) + within == 1
        charged = _charged(self._work, of, places, cost, alone=alone, result=function.result)
        if within:
            return apply_in_context(charged, values, function.result, function.reads, cost)
        return apply(charged, values, function.result, cost)

    def _accept(self, pattern: Any, node: ast.expr) -> None:
        try:
            self._scope.accept_pattern(pattern.decode("utf-8", "replace"))
        except ValueError as problem:
            raise self._error(str(problem), node) from None

    # ── Operators ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _binary(self, node: ast.BinOp, depth: int) -> Value:
        if isinstance(node.op, ast.Add):
            return self._sum(node, depth)
        found = ARITHMETIC.get(type(node.op))
        if found is None:
            raise self._error("there are + - * // % & | ^ << >>", node)
        name = _dashed(node) if isinstance(node.op, ast.Sub) else None
        if name is not None:
            raise self._error(f"`-` takes ints; for a variable with a - in its name, write {name}", node)
        what = f"`{found.symbol}`"
        values = [self._typed(operand, Type.INT, what, depth + 1) for operand in (node.left, node.right)]
        return apply(found.of, values, Type.INT)

    def _sum(self, node: ast.BinOp, depth: int) -> Value:
        """Compile `a + b + c`, of bytes in one operation."""
        operands: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
            operands.append(left.right)
            left = left.left
        operands.append(left)
        operands.reverse()
        values = [self.value(operand, depth + 1) for operand in operands]
        kind = values[0].type
        for value, operand in zip(values, operands, strict=True):
            if value.type is Type.BOOL or value.type is not kind:
                raise self._error(mixed("+", kind, value.type, self._text(operands[0]), self._text(operand)), operand)
        if kind is Type.BYTES:
            return operators.concatenate(self._work, values)
        if len(operands) + depth > MAX_DEPTH:
            raise self._error(f"nested more than {MAX_DEPTH} deep", node)
        total = values[0]
        for value in values[1:]:
            total = apply(ARITHMETIC[ast.Add].of, [total, value], Type.INT)
        return total

    def _unary(self, node: ast.UnaryOp, depth: int) -> Value:
        if isinstance(node.op, ast.Not):
            return operators.opposite(self._condition(node.operand, "`not`", depth))
        found = UNARY.get(type(node.op))
        if found is None:
            raise self._error("there is no + before a value", node)
        return apply(found.of, [self._typed(node.operand, Type.INT, f"`{found.symbol}`", depth + 1)], Type.INT)

    def _boolean(self, node: ast.BoolOp, depth: int) -> Value:
        both = isinstance(node.op, ast.And)
        conditions = [self._condition(each, "`and`" if both else "`or`", depth) for each in node.values]
        return operators.both(conditions) if both else operators.either(conditions)

    def _condition(self, node: ast.expr, what: str, depth: int) -> Value:
        return self._typed(node, Type.BOOL, what, depth + 1)

    def _choice(self, node: ast.IfExp, depth: int) -> Value:
        condition = self._condition(node.test, "the condition of `if`", depth)
        then, otherwise = self.value(node.body, depth + 1), self.value(node.orelse, depth + 1)
        if then.type is not otherwise.type:
            texts = self._text(node.body), self._text(node.orelse)
            raise self._error(mixed("if … else", then.type, otherwise.type, *texts), node.orelse)
        return operators.choose(condition, then, otherwise)

    def _compare(self, node: ast.Compare, depth: int) -> Value:
        if (
            isinstance(node.ops[0], ast.In | ast.NotIn)
            and _dotted(node.comparators[0]) == SHARED
            and len(node.ops) == 1
        ):
            is_set = self._shared(node.left, names.is_shared, Type.BOOL, depth)
            return operators.opposite(is_set) if isinstance(node.ops[0], ast.NotIn) else is_set
        operands = [node.left, *node.comparators]
        values = [self.value(operand, depth + 1) for operand in operands]
        comparisons: list[Callable[[Any, Any], bool]] = []
        for index, comparison in enumerate(node.ops):
            left, right = values[index], values[index + 1]
            texts = self._text(operands[index]), self._text(operands[index + 1])
            if isinstance(comparison, ast.In | ast.NotIn):
                for value, operand in ((left, operands[index]), (right, operands[index + 1])):
                    if value.type is not Type.BYTES:
                        raise self._error(expected("`in`", Type.BYTES, value.type, self._text(operand)), operand)
                comparisons.append(_inside(self._work, inverted=isinstance(comparison, ast.NotIn)))
                continue
            found = ORDER.get(type(comparison))
            if found is None:
                raise self._error("there is no `is`: write ==", operands[index + 1])
            if left.type is not right.type:
                raise self._error(mixed(found.symbol, left.type, right.type, *texts), operands[index + 1])
            if left.type is Type.BOOL and not isinstance(comparison, ast.Eq | ast.NotEq):
                raise self._error(f"`{found.symbol}` takes bytes or ints", operands[index])
            comparisons.append(found.of)
        return operators.compare(values, comparisons)

    # ── Positions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _column(self, node: ast.AST, *, end: bool = False) -> int:
        """Where a node is in the code, in characters; the parser counts bytes."""
        offset: int = node.end_col_offset if end else node.col_offset  # type: ignore[attr-defined]  # all parsed nodes
        code = self._source.code
        return offset if code.isascii() else len(code.encode()[:offset].decode())

    def _text(self, node: ast.expr) -> str:
        """The text of a node, for a message; literals are left out."""
        text = self._source.code[self._column(node) : self._column(node, end=True)]
        return text if len(text) <= 40 and "'" not in text else "x"

    def _error(self, message: str, node: ast.AST) -> ExpressionError:
        return ExpressionError(message, self._source.start + self._column(node))


_NODES: Final[dict[type[ast.expr], Callable[[_Compiler, Any, int], Value]]] = {
    ast.Constant: _Compiler._constant,  # noqa: SLF001 - the table of this class
    ast.Name: _Compiler._name,  # noqa: SLF001
    ast.Attribute: _Compiler._name,  # noqa: SLF001
    ast.Subscript: _Compiler._subscript,  # noqa: SLF001
    ast.Call: _Compiler._call,  # noqa: SLF001
    ast.BinOp: _Compiler._binary,  # noqa: SLF001
    ast.UnaryOp: _Compiler._unary,  # noqa: SLF001
    ast.BoolOp: _Compiler._boolean,  # noqa: SLF001
    ast.IfExp: _Compiler._choice,  # noqa: SLF001
    ast.Compare: _Compiler._compare,  # noqa: SLF001
}


def _dotted(node: ast.expr) -> str | None:
    """A name with dots in it; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])


def _dashed(node: ast.BinOp) -> str | None:
    """How a variable is written whose name has a `-` in it, if this may be one."""
    left, right = _dotted(node.left), _dotted(node.right)
    if left is None or right is None or "." in right or not left.startswith("vars."):
        return None
    return f"vars['{left[5:]}-{right}']"


def _inside(work: Work, *, inverted: bool) -> Callable[[bytes, bytes], bool]:
    if inverted:
        return lambda part, whole: not operators.contains(work, part, whole)
    return partial(operators.contains, work)


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
