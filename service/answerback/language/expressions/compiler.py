"""From the text of an expression to a typed value."""

import ast

from answerback.core.expressions import Type, Value, Work
from answerback.language.expressions.errors import ExpressionError
from answerback.language.expressions.nodes import NODES, NodeCompiler, dotted_name
from answerback.language.expressions.scanner import Source
from answerback.language.expressions.scope import Scope


def compile_source(source: Source, scope: Scope, work: Work) -> Value:
    """Compile the text of an expression. Raises ExpressionError."""
    return compile_node(parse(source, scope).body, source, scope, work)


def compile_embedded(source: Source, scope: Scope, work: Work) -> Value:
    """Compile a value of a template: bytes, or an int. Raises ExpressionError."""
    compiler = NodeCompiler(NODES, source, scope, work)
    node = parse(source, scope).body
    value = compiler.value(node, 1)
    if value.type is Type.BOOL:
        raise compiler.error("a template takes bytes or an int, not a bool: write 'yes' if x else 'no'", node)
    if isinstance(node, ast.Subscript) and dotted_name(node.value) not in scope.fields and value.type is Type.INT:
        data, at = compiler.text(node.value), compiler.text(node.slice)
        part = f"{data}[{at}:{int(at) + 1}]" if at.isdecimal() else f"{data}[i:i + 1]"
        raise compiler.error(f"one byte is an int: write {part} for the byte, or str({data}[{at}]) for digits", node)
    return value


def compile_node(node: ast.expr, source: Source, scope: Scope, work: Work) -> Value:
    """Compile a part of an expression. Raises ExpressionError."""
    return NodeCompiler(NODES, source, scope, work).value(node, 1)


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
