"""Functions for parts of bytes, and for changes of them."""

from answerback.core.expressions import Type
from answerback.core.expressions.errors import LOOP_COST
from answerback.core.expressions.functions import text
from answerback.language.expressions.functions.base import Function, Parameter, Prepared, X, register, taking_bytes


def _splitting(separator: bytes) -> Prepared:
    if not separator:
        raise ValueError("a separator has at least one byte")
    return Prepared(text.splitting(separator))


register(
    taking_bytes("upper", text.upper, "ASCII letters in upper case", "upper(key)", "KEY"),
    taking_bytes("lower", text.lower, "ASCII letters in lower case", "lower(verb)", "set"),
    taking_bytes("strip", text.strip, "without white space at both ends", "strip('  a b ')", "a b"),
    Function(
        "split",
        (X, Parameter("separator", Type.BYTES, literal=True), Parameter("i", Type.INT)),
        Type.BYTES,
        "part number `i` between separators, from 0, or from the end if it is negative; fails where there is none",
        "split(request, ' ', 1)",
        "key",
        prepare=_splitting,
        cost=LOOP_COST,
    ),
    Function(
        "find",
        (X, Parameter("part", Type.BYTES)),
        Type.INT,
        "where the part first occurs, from 0; -1 where it does not",
        "find(request, 'key')",
        "4",
        text.find,
    ),
    Function(
        "replace",
        (X, Parameter("old", Type.BYTES), Parameter("new", Type.BYTES)),
        Type.BYTES,
        "with every `old` replaced",
        "replace(request, ' ', '_')",
        "SET_key_42",
        text.replace,
    ),
    taking_bytes("reverse", text.reverse, "the last byte first", "reverse(key)", "yek"),
    Function(
        "repeat",
        (X, Parameter("n", Type.INT)),
        Type.BYTES,
        "the bytes `n` times",
        "repeat('ab', 3)",
        "ababab",
        text.repeat,
    ),
    taking_bytes(
        "dot_stuff",
        text.dot_stuff,
        "with one more dot before each line that begins with a dot, as in SMTP",
        r"dot_stuff('a\n.b\n')",
        r"a\x0a..b\x0a",
    ),
)
