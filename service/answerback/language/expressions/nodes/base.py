"""The compiler of nodes, which calls the function for each kind of node."""

import ast
from collections.abc import Callable, Mapping
from typing import Any, Final

from answerback.core.expressions import EvaluationError, Type, Value, Work
from answerback.language.expressions.errors import ExpressionError
from answerback.language.expressions.scanner import MAX_DEPTH, Source
from answerback.language.expressions.scope import Scope
from answerback.language.expressions.types import expected

# Rule: a node that has no entry in the table is rejected: nothing of a configuration runs as code.
# Rule: every error has the position of the node that is wrong.

_REJECTED: Final[dict[type[ast.AST], str]] = {
    ast.Starred: "there are no arguments with *",
    ast.List: "there are no lists in an expression",
    ast.Tuple: "there are no tuples in an expression",
    ast.Slice: "a slice stands behind a value, as in request[4:]",
}


class NodeCompiler:
    """Compiles the nodes of one expression, each by the function for its type."""

    def __init__(self, nodes: "Nodes", source: Source, scope: Scope, work: Work) -> None:
        self._nodes = nodes
        self.source = source
        self.scope = scope
        self._work = work

    @property
    def work(self) -> Work:
        """The budget, for what takes from it."""
        self._work.is_used = True
        return self._work

    def value(self, node: ast.expr, depth: int) -> Value:
        """Compile a node. Raises ExpressionError."""
        if depth > MAX_DEPTH:
            raise self.error(f"nested more than {MAX_DEPTH} deep", node)
        compiled = self._nodes.get(type(node))
        if compiled is None:
            raise self.error(_REJECTED.get(type(node), "this has no meaning in an expression"), node)
        try:
            value = compiled(self, node, depth)
        except EvaluationError as problem:
            raise self.error(f"fails each time: {problem}", node) from None
        if self.scope.lacks(value.reads):
            raise self.error(f"{self.scope.event} has no request", node)
        return value

    def typed(self, node: ast.expr, wanted: Type, what: str, depth: int) -> Value:
        """Compile a node that must have a type."""
        value = self.value(node, depth)
        if value.type is not wanted:
            raise self.error(expected(what, wanted, value.type, self.text(node)), node)
        return value

    def column(self, node: ast.AST, *, end: bool = False) -> int:
        """The position of a node in the code, in characters; the parser counts bytes."""
        offset: int = node.end_col_offset if end else node.col_offset  # type: ignore[attr-defined]  # all parsed nodes
        code = self.source.code
        return offset if code.isascii() else len(code.encode()[:offset].decode())

    def text(self, node: ast.expr) -> str:
        """The text of a node, for a message; literals are left out."""
        text = self.source.code[self.column(node) : self.column(node, end=True)]
        return text if len(text) <= 40 and "'" not in text else "x"

    def error(self, message: str, node: ast.AST) -> ExpressionError:
        """Make the error of a node."""
        return ExpressionError(message, self.source.start + self.column(node))


Compile = Callable[[NodeCompiler, Any, int], Value]
"""Compiles a node, which is this deep in others. Raises ExpressionError."""
Nodes = Mapping[type[ast.expr], Compile]


def dotted_name(node: ast.expr) -> str | None:
    """A name with dots in it; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([node.id, *reversed(parts)])
