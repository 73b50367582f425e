"""Queries of a syntax tree and its text."""

import ast
import io
import re
import tokenize
from typing import Final

LOGGERS: Final = {"log", "logger", "_log", "logging"}


def operator_tokens(source: str, starts: list[int]) -> list[tuple[str, int, int]]:
    """The operators and words of a file, with their places in bytes."""
    lines = source.splitlines(keepends=True)
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in {tokenize.OP, tokenize.NAME}:
            (row, column), (_, ending) = token.start, token.end
            line = lines[row - 1]
            start = starts[row - 1] + len(line[:column].encode())
            found.append((token.string, start, start + len(line[column:ending].encode())))
    return found


def name_of(node: ast.expr) -> str:
    """The last part of a name that is called, subscripted or used."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Call():
            return name_of(node.func)
        case ast.Subscript():
            return name_of(node.value)
    return ""


def is_log(call: ast.Call) -> bool:
    """Whether it is a call of a logger."""
    return isinstance(call.func, ast.Attribute) and name_of(call.func.value) in LOGGERS


def is_text(node: ast.expr) -> bool:
    """Whether it is a literal text."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_type(node: ast.expr) -> bool:
    """Whether it looks like a type: a name that begins with a capital letter, or is one of the built-in ones."""
    if isinstance(node, ast.BinOp):
        return is_type(node.left)
    name = name_of(node) if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) else ""
    return name in {"int", "str", "bytes", "float", "bool", "dict", "list", "tuple", "set"} or bool(
        re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name)
    )


def is_simple(node: ast.stmt) -> bool:
    """Whether another statement may stand before it on its line."""
    return not hasattr(node, "body") and not isinstance(node, ast.Match)


def shortened(text: str) -> str:
    """On one line, and not longer than a line of a list."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:57]}..."
