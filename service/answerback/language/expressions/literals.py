r"""Literals of expressions: `'…'` is the UTF-8 of its characters, `b'…'` bytes, `r'…'` has no escapes."""

import re
from typing import Final

from answerback.language.expressions.errors import ExpressionError, quoted

# Rule: control characters stand for themselves, so that an escape of YAML may be one of the text.

PREFIXES: Final = frozenset({"", "b", "r"})

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.?))", re.DOTALL)
_NAMED: Final = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_INSTEAD: Final = "write r'…' for a backslash, or b'…' for bytes"


def read_literal(text: str, at: int, prefix: str) -> tuple[bytes, int]:
    """Read the literal whose quote is at this position: its bytes, and where it ends. Raises ExpressionError."""
    end = _end(text, at)
    inside = text[at + 1 : end]
    _check_characters(inside, at + 1)
    if prefix == "r":
        return inside.encode(), end + 1
    parts: list[bytes] = []
    done = 0
    for found in _ESCAPE.finditer(inside):
        parts += [_plain(inside[done : found.start()], at + 1 + done, prefix), _escaped(found, at + 1, prefix)]
        done = found.end()
    parts.append(_plain(inside[done:], at + 1 + done, prefix))
    return b"".join(parts), end + 1


def _end(text: str, at: int) -> int:
    quote, end = text[at], at + 1
    while end < len(text):
        if text[end] == quote:
            return end
        end += 2 if text[end] == "\\" else 1
    raise ExpressionError(f"{quote} without its end", at)


def _check_characters(inside: str, at: int) -> None:
    try:
        inside.encode()
    except UnicodeEncodeError as problem:
        raise ExpressionError("half of a surrogate pair is not a character", at + problem.start) from None


def _plain(part: str, at: int, prefix: str) -> bytes:
    if prefix == "b" and not part.isascii():
        wrong = next(index for index, character in enumerate(part) if not character.isascii())
        raise ExpressionError(f"{part[wrong]!r} is not a byte: b'…' has ASCII characters and \\xNN", at + wrong)
    return part.encode()


def _escaped(found: re.Match[str], at: int, prefix: str) -> bytes:
    byte, short, long, octal, name = found.groups()
    at += found.start()
    if name is not None or (prefix == "b" and (short or long)):
        if name in _NAMED:
            return _NAMED[name].encode()
        what = quoted(found[0]) if found[0] != "\\" else "a backslash at the end"
        raise ExpressionError(f"{what} is not an escape: {_INSTEAD}", at)
    number = int(octal, 8) if octal else int(byte or short or long, 16)
    if octal or byte:
        if number > 0xFF:
            raise ExpressionError(f"{quoted(found[0])} is more than a byte", at)
        if prefix == "b":
            return bytes((number,))
        if number > 0x7F:
            raise ExpressionError(f"{quoted(found[0])} could be a byte or a character: {_INSTEAD}", at)
    if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF:
        raise ExpressionError(f"{quoted(found[0])} is not a character: {_INSTEAD}", at)
    return chr(number).encode()
