r"""The part of RE2's pattern syntax that is checked before a pattern is used.

https://github.com/google/re2/wiki/Syntax
"""

import re
from collections.abc import Iterator, Sequence
from math import inf
from typing import Final, Protocol, TypeVar

# Rule: for any text, nothing here raises or takes more than linear time: `pattern_size` reads it before RE2.
# Rule: results are correct for patterns that RE2 accepts. An unterminated token, which RE2 rejects, takes all the rest.
# Rule: works on bytes, as patterns do: each of a character's UTF-8 bytes is matched separately.

TOKEN: Final = re.compile(
    rb"""
      \\Q (?P<quoted>.*?) (?:\\E|\Z)
    | \\ (?: [pP] (?: \{ [^}]*+ (?:\}|\Z) | . ) | x (?: \{ [^}]*+ (?:\}|\Z) | .. ) | [0-7]{1,3} | . )
    | \[ \^? \]? (?: \[:\^?[a-z]++:\] | \\. | [^\]\\] )*+ (?: \] | \Z )
    | \( (?: \? (?: P? < [^>]*+ (?:>|\Z) | [imsU-]* [:)] ) )?
    | [*+?]\?? | \{ (?: 0|[1-9]\d{0,8} ) (?: , (?: 0|[1-9]\d{0,8} )? )? \} \??
    | .
    """,
    re.VERBOSE | re.DOTALL,
)

_FLAGS: Final = re.compile(rb"\(\?([imsU]*)(?:-([imsU]*))?[:)]")

ASSERTIONS: Final = frozenset({b"^", b"$", rb"\A", rb"\z", rb"\b", rb"\B"})


def tokens(pattern: str) -> Iterator[bytes]:
    r"""Yield the tokens of the pattern in order. A byte between `\Q` and `\E` comes as its hexadecimal escape."""
    for found in TOKEN.finditer(pattern.encode()):
        quoted = found["quoted"]
        if quoted is None:
            yield found[0]
        else:
            yield from (rb"\x%02x" % byte for byte in quoted)


T = TypeVar("T")


class Parts(Protocol[T]):
    """A visitor that builds a value from a pattern's parts, innermost first. See `fold`."""

    def nothing(self) -> T:
        """The empty pattern; also what an assertion matches."""

    def one(self, token: bytes, flags: frozenset[str]) -> T:
        """A token that stands for one byte, under these of the flags `imsU`."""

    def asserted(self, token: bytes) -> T:
        """One of ASSERTIONS."""

    def then(self, first: T, second: T) -> T:
        """A concatenation."""

    def either(self, one: T, other: T) -> T:
        """An alternation."""

    def repeated(self, inner: T, least: int, most: float) -> T:
        """A repetition; `most` may be `inf`."""

    def captured(self, inner: T) -> T:
        """A capturing group."""


def fold(pattern: str, parts: Parts[T]) -> T:
    """Build a value from a pattern's parts, without recursion, however deeply its groups are nested."""
    outer: list[tuple[T | None, T, frozenset[str], bool]] = []
    before: T | None = None  # the alternatives before this one
    branch = atom = parts.nothing()  # this alternative without its last atom; that atom
    flags = frozenset[str]()
    for token in tokens(pattern):
        if token in ASSERTIONS:
            branch, atom = parts.then(branch, atom), parts.asserted(token)
        elif (changed := _FLAGS.fullmatch(token)) and token.endswith(b")"):
            flags = _with(flags, changed)  # a repetition that follows is of the atom before
        elif token.startswith(b"("):
            outer.append((before, parts.then(branch, atom), flags, changed is None))
            before, branch, atom = None, parts.nothing(), parts.nothing()
            flags = _with(flags, changed) if changed else flags
        elif token == b")":
            if outer:
                inner = parts.then(branch, atom) if before is None else parts.either(before, parts.then(branch, atom))
                before, branch, flags, captures = outer.pop()
                atom = parts.captured(inner) if captures else inner
        elif token == b"|":
            last = parts.then(branch, atom)
            before = last if before is None else parts.either(before, last)
            branch = atom = parts.nothing()
        elif (most := repetitions(token)) is not None:
            atom = parts.repeated(atom, _least(token), most)
        else:
            branch, atom = parts.then(branch, atom), parts.one(token, flags)
    while outer:  # unclosed groups: RE2 rejects those
        branch = parts.then(outer.pop()[1], branch)
    last = parts.then(branch, atom)
    return last if before is None else parts.either(before, last)


def _with(flags: frozenset[str], changed: re.Match[bytes]) -> frozenset[str]:
    on, off = (part.decode() if part else "" for part in changed.groups())
    return (flags | frozenset(on)) - frozenset(off)


def _least(token: bytes) -> int:
    """Return the minimum number of repetitions of a token."""
    if not token.startswith(b"{"):
        return int(token.startswith(b"+"))
    return int(token.rstrip(b"?").strip(b"{}").partition(b",")[0])


class _Widest:
    """The maximum number of bytes that each part may match."""

    def nothing(self) -> float:
        return 0

    def one(self, _token: bytes, _flags: frozenset[str]) -> float:
        return 1

    def asserted(self, _token: bytes) -> float:
        return 0

    def then(self, first: float, second: float) -> float:
        return first + second

    def either(self, one: float, other: float) -> float:
        return max(one, other)

    def repeated(self, inner: float, _least: int, most: float) -> float:
        return inner * most if inner else 0  # repeating an empty part stays empty

    def captured(self, inner: float) -> float:
        return inner


def widest(pattern: str) -> float:
    """Return the maximum number of bytes that the pattern may match; `inf` if unlimited."""
    return fold(pattern, _Widest())


def repetitions(token: bytes) -> float | None:
    """Return the maximum number of repetitions of a token; None if it is no repetition."""
    if token in {b"*", b"*?", b"+", b"+?"}:
        return inf
    if token in {b"?", b"??"}:
        return 1
    if not token.startswith(b"{") or token == b"{":
        return None
    least, comma, most = token.rstrip(b"?").strip(b"{}").partition(b",")
    return int(most) if most else inf if comma else int(least)


def anchored(parts: Sequence[bytes]) -> bool:
    """Whether a pattern of these tokens matches at the beginning or nowhere. False where that is not plain to see."""
    depth = 0
    for token in parts:
        if token == b"|" and not depth:
            return False
        if token.startswith(b"("):
            if _FLAGS.fullmatch(token) and b"m" in token:
                return False
            depth += not token.endswith(b")")
        elif token == b")":
            depth -= 1
    plain = [token for token in parts if not (token.startswith(b"(?") and token.endswith(b")"))]
    return plain[:1] in ([b"^"], [rb"\A"]) and (len(plain) == 1 or repetitions(plain[1]) is None)
