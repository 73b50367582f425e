"""How far a pattern gets in a request that it does not match: the longest part from its beginning that matches."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf
from typing import Final

from answerback.core import patterns
from answerback.core.pattern_syntax import TOKEN, repetitions, widest

# Rule: a worker does not ask for it: it takes some 20 us for each search, because each part is compiled.
# Rule: for any pattern and request, a bounded number of searches: parts are halved, not tried one after the other.

MAX_PATTERN: Final = 512  # characters; nothing is said of a longer pattern
MAX_REQUEST: Final = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """A pattern matches up to a byte of the request, and its next part does not follow."""

    matched: str
    """The part of the pattern that matches."""
    following: str
    """The part that should follow."""
    at: int
    """Where it should begin, from 0."""
    exact: bool
    """Whether what matched can be only so long: otherwise it may have taken more than it should."""


_shown: ContextVar[bool] = ContextVar("progress_of_patterns_is_shown", default=False)


@contextmanager
def shown() -> Iterator[None]:
    """Within the block, explanations of patterns say how far they get."""
    token = _shown.set(True)
    try:
        yield
    finally:
        _shown.reset(token)


def is_shown() -> bool:
    """Whether explanations say how far a pattern gets."""
    return _shown.get()


def progress(pattern: str, request: bytes) -> Progress | None:
    """Return how far the pattern gets; None if no byte matches, or if its parts are alternatives."""
    if len(pattern) > MAX_PATTERN or len(request) > MAX_REQUEST:
        return None
    cuts = _cuts(pattern.encode())
    low, high, end = 0, len(cuts) - 1, 0  # cuts[low] matches, as the empty pattern does; cuts[high] is all of it
    while high - low > 1:
        middle = (low + high) // 2
        found = _end_of(pattern, cuts[middle], request)
        if found is None:
            high = middle
        else:
            low, end = middle, found
    if not end:
        return None
    text = pattern.encode()
    matched, following = text[: cuts[low]].decode(), text[cuts[low] : cuts[low + 1]].decode()
    return Progress(matched, following, end, exact=widest(matched) < inf)


def _end_of(pattern: str, cut: int, request: bytes) -> int | None:
    """Return where the match of the pattern up to a cut ends; None if there is none."""
    try:
        with patterns.compiling(patterns.Compiler(patterns.LEAST_MEMORY)):
            found = patterns.compile(pattern.encode()[:cut].decode(), captures=False).search(request)
    except (patterns.PatternError, UnicodeDecodeError):
        return None
    return None if found is None else int(found.end())


def _cuts(pattern: bytes) -> list[int]:
    """Return where a part ends, from 0 to the end of the pattern; only these two where it has alternatives."""
    cuts, depth = [0], 0
    for found in TOKEN.finditer(pattern):
        token = found[0]
        if token == b"|" and not depth:
            return [0, len(pattern)]
        goes_on = repetitions(token) is not None or token == b")" or 0x80 <= token[0] < 0xC0  # within a character
        begins_part = not depth and not goes_on and not _is_flags(token)
        if begins_part and found.start() and not _follows_flags(pattern, found.start()):
            cuts.append(found.start())
        if token.startswith(b"(") and not _is_flags(token):
            depth += 1
        elif token == b")":
            depth -= 1
    return [*dict.fromkeys([*cuts, len(pattern)])]


def _is_flags(token: bytes) -> bool:
    """Whether a token sets flags for what follows: `(?i)`."""
    return token.startswith(b"(?") and token.endswith(b")")


def _follows_flags(pattern: bytes, start: int) -> bool:
    """Whether there are only flags before it: they are no part of their own."""
    before = pattern[:start]
    return all(_is_flags(found[0]) for found in TOKEN.finditer(before))
