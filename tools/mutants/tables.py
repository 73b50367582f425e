"""The replacements of each mutation."""

import ast
from typing import Final

COMPARISONS: Final = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
ARITHMETIC: Final = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
    ast.Pow: ("**", "*"),
}
NAMES: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
METHODS: Final = {
    "startswith": "endswith",
    "endswith": "startswith",
    "find": "rfind",
    "rfind": "find",
    "popleft": "pop",
    "partition": "rpartition",
    "rpartition": "partition",
    "discard": "add",
    "add": "discard",
}
# Calls whose first two arguments are not exchanged: they fail at once, or it makes no difference.
UNSWAPPED: Final = {"isinstance", "setattr", "getattr", "min", "max"}
# What is removed with them is noticed by the type checker, or makes no difference while the program runs.
DECORATORS_KEPT: Final = {"override", "overload", "final", "abstractmethod", "dataclass", "runtime_checkable"}
FUNCTIONS_SKIPPED: Final = {"__repr__", "__str__"}
NO_CONTEXT: Final = '__import__("contextlib").nullcontext()'
