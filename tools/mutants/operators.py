"""The mutations of a file: each replaces a piece of its text, found by the syntax tree.

Not mutated, because no test could or should notice: annotations, docstrings and other texts, calls of a logger,
`__slots__`, `__repr__`, asserts, imports, Protocol classes, and the body of `if TYPE_CHECKING`.
"""

# Rule: a mutation replaces text on the lines it stands on; no other line moves.

import ast
from collections import Counter
from dataclasses import dataclass

from tools.mutants.syntax import is_log, is_simple, is_text, is_type, name_of, operator_tokens, shortened
from tools.mutants.tables import (
    ARITHMETIC,
    COMPARISONS,
    DECORATORS_KEPT,
    FUNCTIONS_SKIPPED,
    METHODS,
    NAMES,
    NO_CONTEXT,
    UNSWAPPED,
)


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of a file. `key` identifies it while the line and the function keep their text and name."""

    file: str
    function: str
    """Dotted, without the module; empty at the top of the file."""
    line: int
    text: str
    """The line before the change, without its indentation."""
    change: str
    """`before -> after`, with `#2` behind it if the same change is possible at a second place of the line."""
    start: int
    end: int
    replacement: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is called in the list of the accepted ones."""
        return self.file, self.function, self.text, self.change

    def applied(self, source: bytes) -> bytes:
        """The file's content with the change."""
        return source[: self.start] + self.replacement.encode() + source[self.end :]


def mutations(file: str, source: str) -> list[Mutation]:
    """All mutations of a file, in order of their places."""
    finder = _Finder(file, source)
    finder.visit(ast.parse(source))
    found = sorted(finder.found, key=lambda each: (each.start, each.end, each.replacement))
    seen: Counter[tuple[str, str, str, str]] = Counter()
    numbered = []
    for each in found:
        seen[each.key] += 1
        if (number := seen[each.key]) > 1:
            change = f"{each.change} #{number}"
            each = Mutation(  # noqa: PLW2901  # the same, with a number
                each.file, each.function, each.line, each.text, change, each.start, each.end, each.replacement
            )
        numbered.append(each)
    return numbered


class _Finder(ast.NodeVisitor):
    """Walks a file's tree, and notes what can be changed."""

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.found: list[Mutation] = []
        self._encoded = source.encode()
        self._lines = source.splitlines()
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line.encode()))
        self._tokens = operator_tokens(source, self._starts)
        self._scope: list[str] = []
        self._returns: list[bool] = []

    # ── Places ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return self._encoded[self._start(node) : self._end(node)].decode()

    def _note(self, line: int, start: int, end: int, replacement: str) -> None:
        before = self._encoded[start:end].decode()
        padded = replacement + "\n" * (before.count("\n") - replacement.count("\n"))
        change = f"{shortened(before)} -> {shortened(replacement)}"
        text = self._lines[line - 1].strip()
        self.found.append(Mutation(self.file, ".".join(self._scope), line, text, change, start, end, padded))

    def _replace(self, node: ast.expr | ast.stmt, replacement: str) -> None:
        self._note(node.lineno, self._start(node), self._end(node), replacement)

    def _replace_in_expression(self, node: ast.expr, replacement: str) -> None:
        """In parentheses, whatever stands around it."""
        broken = "\n" * (self._text(node).count("\n") - replacement.count("\n"))
        self._note(node.lineno, self._start(node), self._end(node), f"({replacement}{broken})")

    def _swap_operator(self, left: ast.expr, right: ast.expr, before: str, after: str) -> None:
        """The operator between two operands."""
        start, end = self._end(left), self._start(right)
        words = before.split()
        places = [each for each in self._tokens if start <= each[1] and each[2] <= end and each[0] in words]
        if len(places) == len(words):
            line = self._encoded.count(b"\n", 0, places[0][1]) + 1
            self._note(line, places[0][1], places[-1][2], after)

    # ── What is skipped ───────────────────────────────────────────────────────────────────────────────────────────
    def visit_Import(self, node: ast.Import) -> None: ...

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None: ...

    def visit_Assert(self, node: ast.Assert) -> None: ...

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None: ...

    def visit_arg(self, node: ast.arg) -> None: ...

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if any(name_of(base) in {"Protocol", "NamedTuple", "TypedDict"} for base in node.bases):
            return
        self._scope.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self._scope.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name in FUNCTIONS_SKIPPED or any(name_of(each) == "overload" for each in node.decorator_list):
            return
        self._scope.append(node.name)
        for decorator in node.decorator_list:
            if name_of(decorator) not in DECORATORS_KEPT and isinstance(decorator, ast.Call | ast.Name | ast.Attribute):
                start = self._encoded.rindex(b"@", 0, self._start(decorator))
                self._note(decorator.lineno, start, self._end(decorator), "")
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        self._returns.append(isinstance(node.returns, ast.Name) and node.returns.id == "bool")
        for statement in node.body:
            self.visit(statement)
        self._returns.pop()
        self._scope.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  # the name that ast calls

    def visit_If(self, node: ast.If) -> None:
        if name_of(node.test) == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    # ── Expressions ───────────────────────────────────────────────────────────────────────────────────────────────
    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            before, after = COMPARISONS[type(operator)]
            self._swap_operator(left, right, before, after)
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        before, after = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._swap_operator(left, right, before, after)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.BitOr) and is_type(node.left):  # a union of types
            return
        if type(node.op) in ARITHMETIC and not is_text(node.left) and not is_text(node.right):
            before, after = ARITHMETIC[type(node.op)]
            self._swap_operator(node.left, node.right, before, after)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._replace(node, self._text(node.operand))
        if not (isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)):
            self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for condition in node.ifs:
            self._negate(condition)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool():
                self._replace(node, str(not node.value))
            case int():
                for number in (node.value + 1, node.value - 1):
                    self._replace(node, str(number) if number >= 0 else f"({number})")
            case float():
                self._replace(node, repr(node.value * 2 or 1.0))
            case bytes() if node.value:
                other = b"!" if node.value[:1] == b"?" else b"?"
                self._replace_in_expression(node, repr(other + node.value[1:]))
            case bytes():
                self._replace(node, 'b"?"')

    def visit_Call(self, node: ast.Call) -> None:
        if is_log(node) or name_of(node.func) in {"TypeVar", "NewType", "cast", "Final"}:
            return
        positional = [each for each in node.args if not isinstance(each, ast.Starred)]
        if len(positional) == len(node.args) > 1 and self._text(node.args[0]) != self._text(node.args[1]):
            first, second = node.args[:2]
            between = self._encoded[self._end(first) : self._start(second)].decode()
            if "\n" not in between and name_of(node.func) not in UNSWAPPED:
                swapped = self._text(second) + between + self._text(first)
                self._note(first.lineno, self._start(first), self._end(second), swapped)
        if isinstance(node.func, ast.Name) and node.func.id in NAMES:
            self._replace(node.func, NAMES[node.func.id])
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            end = self._end(node.func)
            start = end - len(node.func.attr)
            assert node.func.end_lineno is not None
            self._note(node.func.end_lineno, start, end, METHODS[node.func.attr])
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        """A condition, unless its own operator is turned round anyway."""
        turned = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        turned |= isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot)
        turned |= isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.In | ast.NotIn)
        if not turned and not isinstance(test, ast.Constant):
            self._replace_in_expression(test, f"not ({self._text(test)})")

    # ── Statements ────────────────────────────────────────────────────────────────────────────────────────────────
    def visit_Expr(self, node: ast.Expr) -> None:
        value = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(value, ast.Constant) or (isinstance(value, ast.Call) and is_log(value)):
            return  # a docstring, `...`, or a line for the log
        self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(name_of(target) in {"__slots__", "__all__", "__match_args__"} for target in node.targets):
            return
        if all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets):
            self._replace(node, "pass")
        elif not self._scope and is_type(node.value):  # an alias
            return
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is None or (not self._scope and is_type(node.value)):
            return
        if isinstance(node.target, ast.Attribute) and self._scope[-1:] != ["__init__"]:
            self._replace(node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if type(node.op) in ARITHMETIC:
            before, after = ARITHMETIC[type(node.op)]
            self._swap_operator(node.target, node.value, f"{before}=", f"{after}=")
        self._replace(node, "pass")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._replace(node, "pass")
            return
        if self._returns and self._returns[-1] and not isinstance(node.value, ast.Constant | ast.Compare):
            self._replace(node.value, f"not ({self._text(node.value)})")
        elif not isinstance(node.value, ast.Constant | ast.Compare):
            self._replace(node, "return None")
        self.generic_visit(node)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._replace(node, "pass")

    def visit_Raise(self, node: ast.Raise) -> None:
        self._replace(node, "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break")

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        first = node.body[0]
        if not isinstance(first, ast.Raise):
            self._note(first.lineno, self._start(first), self._start(first), "raise; ") if is_simple(first) else None
        for statement in node.body:
            self.visit(statement)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            if item.optional_vars is None:
                self._replace(item.context_expr, NO_CONTEXT)
        self.generic_visit(node)

    visit_AsyncWith = visit_With  # noqa: N815  # as above
