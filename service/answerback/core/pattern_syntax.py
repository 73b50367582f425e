r"""How RE2's patterns are written: as much of it as is asked of a pattern before it is used.

https://github.com/google/re2/wiki/Syntax
"""

import re
from collections.abc import Iterator, Sequence
from math import inf
from typing import Final

# Rule: a pattern is compiled first: here it is known to be one that RE2 takes.
# Rule: bytes, as patterns are about bytes: each of a character's UTF-8 bytes is one to match.

TOKEN: Final = re.compile(
    rb"""
      \\Q (?P<quoted>.*?) (?:\\E|\Z)
    | \\ (?: [pP](?:\{[^}]*\}|.) | x(?:\{[^}]*\}|..) | [0-7]{1,3} | . )
    | \[ \^? \]? (?: \[:[^\]]*:\] | \\. | [^\]\\] )* \]
    | \( (?: \? (?: P?<[^>]*> | [imsU-]* [:)] ) )?
    | [*+?]\?? | \{\d+(?:,\d*)?\}\??
    | .
    """,
    re.VERBOSE | re.DOTALL,
)

_FLAGS: Final = re.compile(rb"\(\?[imsU-]*[:)]")

ASSERTIONS: Final = frozenset({b"^", b"$", rb"\A", rb"\z", rb"\b", rb"\B"})


def tokens(pattern: str) -> Iterator[bytes]:
    r"""What the pattern is written with, in order. A byte between `\Q` and `\E` comes as its hexadecimal escape."""
    for found in TOKEN.finditer(pattern.encode()):
        quoted = found["quoted"]
        if quoted is None:
            yield found[0]
        else:
            yield from (rb"\x%02x" % byte for byte in quoted)


def widest(pattern: str) -> float:
    """The most bytes that the pattern may match; `inf` if there is no most."""
    outer: list[tuple[float, float]] = []
    widest_branch = branch = atom = 0.0  # of the alternatives before this one; of this one without its last atom
    for token in tokens(pattern):
        if token in ASSERTIONS or (token.startswith(b"(?") and token.endswith(b")")):
            branch, atom = branch + atom, 0
        elif token.startswith(b"("):
            outer.append((widest_branch, branch + atom))
            widest_branch = branch = atom = 0
        elif token == b")":
            inner = max(widest_branch, branch + atom)
            widest_branch, branch = outer.pop()
            atom = inner
        elif token == b"|":
            widest_branch = max(widest_branch, branch + atom)
            branch = atom = 0
        elif (most := repetitions(token)) is not None:
            atom = atom * most if atom else 0  # nothing, however often, is nothing
        else:
            branch, atom = branch + atom, 1
    return max(widest_branch, branch + atom)


def repetitions(token: bytes) -> float | None:
    """The most repetitions that a token asks for; None if it asks for none."""
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
