"""Estimates how costly a pattern is, before RE2 sees it.

RE2 compiles while it holds the interpreter lock, so that no other thread and no event loop of it runs. The time
grows with the square of the instructions where many parts may be empty (`a?` repeated), and with the number of Unicode
classes. Both are counted here first, in linear time, and a pattern that may take more than 10 ms is rejected.
"""

import re
from functools import lru_cache
from math import inf
from typing import Final, NamedTuple

from answerback.core.pattern_syntax import fold, tokens

# Rule: an upper bound of what RE2 needs: `tests/core/test_pattern_size.py` compares them.

MAX_BYTES: Final = 16 << 10  # characters of a pattern
MAX_INSTRUCTIONS: Final = 4000  # instructions of one pattern: at most 5 ms to compile, usually 1 ms
MAX_PROPERTIES: Final = 32  # `\p` and `\P`: up to 0.3 ms each
MAX_GROUPS: Final = 100  # a search that tells its groups copies where each is, for each byte

PROPERTY_COST: Final = 150  # ratio of instructions to a Unicode class of equal cost
PROGRAM: Final = 5  # instructions that every pattern has

_CLASS_ITEM: Final = re.compile(
    rb"""
      (?P<posix> \[:\^?[a-z]+:\] )
    | (?P<property> \\[pP] (?: \{ [^}]*+ (?:\}|\Z) | . ) )
    | (?P<perl> \\[dDsSwW] )
    | (?: \\ (?: x (?: \{ [^}]*+ (?:\}|\Z) | .. ) | [0-7]{1,3} | . ) | . )
      (?: - (?: \\ (?: x (?: \{ [^}]*+ (?:\}|\Z) | .. ) | [0-7]{1,3} | . ) | . ) )?
    """,
    re.VERBOSE | re.DOTALL,
)
_RANGES: Final = {"posix": 5, "property": 16, "perl": 5}  # of bytes in each of these at most; 1 in any other item
_MAX_RANGES: Final = 128  # of a class: there are no more than 256 bytes


class TooLarge(ValueError):
    """The pattern would take too long to compile; the text says how to write it instead."""


class _Size(NamedTuple):
    instructions: float
    may_be_empty: bool
    repeats: bool = False  # something in it


class _Sizes:
    """Upper bounds for the instructions of each part."""

    def nothing(self) -> _Size:
        return _Size(0, True)

    def one(self, token: bytes, flags: frozenset[str]) -> _Size:
        return _Size(_ranges(token, "i" in flags), False)

    def asserted(self, _token: bytes) -> _Size:
        return _Size(1, True)

    def then(self, first: _Size, second: _Size) -> _Size:
        return _Size(
            first.instructions + second.instructions,
            first.may_be_empty and second.may_be_empty,
            first.repeats or second.repeats,
        )

    def either(self, one: _Size, other: _Size) -> _Size:
        both = max(1, one.instructions) + max(1, other.instructions)
        return _Size(both + 1, one.may_be_empty or other.may_be_empty, one.repeats or other.repeats)

    def repeated(self, inner: _Size, least: int, most: float) -> _Size:
        """`x{2,4}` is `xx(x(x)?)?`, `x{2,}` is `xx+`, and `x*` is `(x+)?` if x may be empty."""
        may_be_empty = least == 0 or inner.may_be_empty
        again = inner.instructions + 1 + 2 * inner.may_be_empty + inner.repeats
        if most == inf:
            return _Size(max(0, least - 1) * inner.instructions + again + 1, may_be_empty, True)
        more = max(0, most - least)  # RE2 rejects a negative count
        return _Size(max(1, least * inner.instructions + more * again), may_be_empty, True)

    def captured(self, inner: _Size) -> _Size:
        return inner._replace(instructions=inner.instructions + 2)


def instructions(pattern: str) -> int:
    """Return an upper bound for the number of instructions RE2 makes of a pattern."""
    return int(min(fold(pattern, _Sizes()).instructions, 1 << 40)) + PROGRAM


def compile_cost(pattern: str) -> int:
    """Return the cost of compiling a pattern, in instructions of equal time. Raises TooLarge."""
    return check_size(pattern) + PROPERTY_COST * fold(pattern, _Properties())[0]


@lru_cache(maxsize=64)
def check_size(pattern: str) -> int:
    r"""Reject a pattern that takes long to compile; return its max. instructions. Raises TooLarge.

    Unicode classes are rejected under `(?i)`: RE2 takes up to 20 ms for each of them there.
    """
    size = len(pattern.encode())
    if size > MAX_BYTES:
        raise TooLarge(f"too long: {size} bytes; a pattern has {MAX_BYTES} at most. Write several rules")
    groups = sum(token == b"(" or token.startswith((b"(?P<", b"(?<")) for token in tokens(pattern))
    if groups > MAX_GROUPS:
        raise TooLarge(f"{groups} groups; a pattern has {MAX_GROUPS} at most. Write (?:…) where nothing is captured")
    _check_properties(pattern)
    count = instructions(pattern)
    if count > MAX_INSTRUCTIONS:
        raise TooLarge(
            f"too large: RE2 would make up to {count} instructions of it; a pattern has {MAX_INSTRUCTIONS} at most. "
            "Repeat less (`{n,m}` counts each time), or write several rules"
        )
    return count


def _check_properties(pattern: str) -> None:
    if pattern.count(r"\p") + pattern.count(r"\P") == 0:
        return
    count, folded = fold(pattern, _Properties())
    if folded:
        raise TooLarge(r"\p and \P take RE2 too long under (?i): write (?-i:\p{…}), which ends it for that class")
    if count > MAX_PROPERTIES:
        raise TooLarge(
            rf"{count} times \p or \P; a pattern has {MAX_PROPERTIES} at most. Write [\pL\pN] or \PZ for several"
        )


class _Properties:
    r"""Counts `\p` and `\P` in each part, and whether one is under `(?i)`."""

    def nothing(self) -> tuple[int, bool]:
        return 0, False

    def one(self, token: bytes, flags: frozenset[str]) -> tuple[int, bool]:
        count = sum(item.lastgroup == "property" for item in _CLASS_ITEM.finditer(_items(token)))
        return count, count > 0 and "i" in flags

    def asserted(self, _token: bytes) -> tuple[int, bool]:
        return 0, False

    def then(self, first: tuple[int, bool], second: tuple[int, bool]) -> tuple[int, bool]:
        return first[0] + second[0], first[1] or second[1]

    either = then

    def repeated(self, inner: tuple[int, bool], _least: int, _most: float) -> tuple[int, bool]:
        return inner

    def captured(self, inner: tuple[int, bool]) -> tuple[int, bool]:
        return inner


def _ranges(token: bytes, fold_case: bool) -> int:
    """Return an upper bound for the byte ranges of a token that matches one byte."""
    if token in {b".", rb"\C"}:  # any byte is one range, and each loop over it costs RE2 another instruction
        return 2
    if not token.startswith((b"[", b"\\")):
        return 1
    count = sum(_RANGES.get(item.lastgroup or "", 1) for item in _CLASS_ITEM.finditer(_items(token)))
    if fold_case:
        count *= 2
    return min(_MAX_RANGES, max(1, count + token.startswith(b"[^")))


def _items(token: bytes) -> bytes:
    """Return the items of a class; for another token, the token itself."""
    return token[1:-1].removeprefix(b"^") if token.startswith(b"[") else token
