"""The operators of expressions: what each takes, with an example. The nodes of the parser are those of `ast`."""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from answerback.core.expressions import operators


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator."""

    symbol: str
    of: Callable[..., Any]
    doc: str
    example: str
    makes: str


ARITHMETIC: Final[Mapping[type[ast.operator], Operator]] = {
    ast.Add: Operator("+", operators.add, "the sum of ints", "str(2 + 3)", "5"),
    ast.Sub: Operator("-", operators.subtract, "the difference", "len(request) - 4", "6"),
    ast.Mult: Operator("*", operators.multiply, "the product", "2 * len(key)", "6"),
    ast.FloorDiv: Operator("//", operators.divide, "the quotient, rounded down", "len(request) // 4", "2"),
    ast.Mod: Operator("%", operators.remainder, "the remainder, with the sign of the divisor", "len(request) % 4", "2"),
    ast.BitAnd: Operator("&", operators.bit_and, "the bits of both", "request[0] & 0x0f", "3"),
    ast.BitOr: Operator("|", operators.bit_or, "the bits of either", "u8(request[0] | 0x80)", r"\xd3"),
    ast.BitXor: Operator("^", operators.bit_xor, "the bits that differ", "u8(request[0] ^ 0x20)", "s"),
    ast.LShift: Operator("<<", operators.shift_left, "shifted to the left, by 0 to 63 bits", "1 << 4", "16"),
    ast.RShift: Operator(">>", operators.shift_right, "shifted to the right, by 0 to 63 bits", "0x80 >> 4", "8"),
}
UNARY: Final[Mapping[type[ast.unaryop], Operator]] = {
    ast.USub: Operator("-", operators.negate, "the other sign", "-len(key)", "-3"),
    ast.Invert: Operator("~", operators.invert, "all bits inverted", "u8(~request[0] & 0xff)", r"\xac"),
}
ORDER: Final[Mapping[type[ast.cmpop], Operator]] = {
    ast.Eq: Operator("==", operator.eq, "equal", "'yes' if verb == 'SET' else 'no'", "yes"),
    ast.NotEq: Operator("!=", operator.ne, "not equal", "'yes' if verb != 'SET' else 'no'", "no"),
    ast.Lt: Operator("<", operator.lt, "less; bytes are compared one by one", "'yes' if key < 'kez' else 'no'", "yes"),
    ast.LtE: Operator("<=", operator.le, "less or equal", "'yes' if 1 <= int(size) <= 42 else 'no'", "yes"),
    ast.Gt: Operator(">", operator.gt, "greater", "'yes' if int(size) > 42 else 'no'", "no"),
    ast.GtE: Operator(">=", operator.ge, "greater or equal", "'yes' if int(size) >= 42 else 'no'", "yes"),
}
OTHERS: Final = (
    Operator("+", operators.concatenate, "bytes joined", "key + '=' + size", "key=42"),
    Operator(
        "in", operators.contains, "whether bytes are part of others", "'yes' if 'key' in request else 'no'", "yes"
    ),
    Operator("not in", operators.contains, "whether they are not", "'yes' if 'x' not in request else 'no'", "yes"),
    Operator("and", operators.both, "whether both hold", "'yes' if len(key) == 3 and state == 'x' else 'no'", "no"),
    Operator("or", operators.either, "whether one holds", "'yes' if len(key) == 3 or state == 'x' else 'no'", "yes"),
    Operator("not", operators.opposite, "whether it does not hold", "'yes' if not state == 'x' else 'no'", "yes"),
    Operator("if else", operators.choose, "one value or another", "'long' if len(request) > 5 else 'short'", "long"),
    Operator("[N]", operators.index, "one byte, as an int; fails where there is none", "str(request[4])", "107"),
    Operator("[N:M]", operators.cut, "from N up to but not including M", "request[4:7]", "key"),
    Operator("[N:]", operators.cut, "from N on", "key[1:]", "ey"),
    Operator(
        "[:M]", operators.cut, "up to but not including M; from the end, if it is negative", "request[:-7]", "SET"
    ),
)
"""Operators with functions of their own in `nodes`; listed here for the reference."""
