"""Messages about types: what is wrong, and what to write instead."""

from collections.abc import Mapping
from typing import Final

from answerback.core.expressions import Type

NOUNS: Final[Mapping[Type, str]] = {Type.BYTES: "bytes", Type.INT: "an int", Type.BOOL: "a bool"}

# By what is expected and what is given; `{}` is the text that is given.
_INSTEAD: Final[Mapping[tuple[Type, Type], str]] = {
    (Type.INT, Type.BYTES): "int({0}) for digits, be({0}) or le({0}) for a binary number, len({0}) for its length",
    (Type.BYTES, Type.INT): "str({0}) for its digits, u8({0}) for one byte",
    (Type.BOOL, Type.BYTES): "{0} != ''",
    (Type.BOOL, Type.INT): "{0} != 0",
    (Type.BYTES, Type.BOOL): "'yes' if {0} else 'no'",
    (Type.INT, Type.BOOL): "1 if {0} else 0",
}


def instead(wanted: Type, given: Type, text: str) -> str:
    """The hint for a value of another type."""
    return f"write {_INSTEAD[wanted, given].format(text)}"


def expected(what: str, wanted: Type, given: Type, text: str) -> str:
    """Say that a part takes one type, and a value of another was given."""
    return f"{what} takes {NOUNS[wanted]}, and {text} is {NOUNS[given]}: {instead(wanted, given, text)}"


def mixed(symbol: str, left: Type, right: Type, left_text: str, right_text: str) -> str:
    """Say that two values do not have the same type."""
    if Type.BOOL in {left, right} and symbol == "+":
        return "`+` takes bytes or ints, not bools"
    told = f"`{symbol}` takes two values of one type, not {NOUNS[left]} and {NOUNS[right]}"
    if left is Type.INT and right is Type.BYTES and symbol == "+":
        return f"{told}: {instead(Type.BYTES, Type.INT, left_text)}"
    return f"{told}: {instead(left, right, right_text)}"
