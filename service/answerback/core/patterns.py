"""Regular expressions over bytes: RE2, in linear time whatever the pattern and the peer's bytes."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

# Rule: the one module that knows RE2.

MAX_PROGRAM_BYTES = 8 << 20

Find = Callable[[bytes | bytearray, int, int], int]
"""Where the first match within these bounds ends; 0 if there is none, or if it is empty at the very beginning."""


class PatternError(ValueError):
    """RE2 refuses the pattern; the text says why."""


def compile(pattern: str, *, captures: bool = True) -> Any:  # noqa: A001 - as `re` calls it
    r"""The pattern, compiled in RE2's Latin-1 mode from its own UTF-8 bytes: `\xff` is the byte ff.

    Without `captures` its groups are not told, and a long match is found sooner (9 times, at 1 MiB).

    Raises PatternError.
    """
    return _compile(pattern.encode(), _options(captures))


def _compile(pattern: bytes, options: Any) -> Any:
    import re2  # noqa: PLC0415 - on the first pattern: many configurations have none, and a worker's memory counts

    try:
        return re2.compile(pattern, options)
    except re2.error as problem:
        detail = problem.args[0]
        raise PatternError(detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)) from None


class Groups:
    """What a pattern's groups matched. See `turn.Captures`."""

    __slots__ = ("_match", "_numbers")

    def __init__(self, match: Any, numbers: Mapping[str, int]) -> None:
        self._match = match
        self._numbers = numbers  # of the groups with a name

    def group(self, group: int | str | bytes, /) -> bytes | None:
        """The bytes of a group; None if it took no part. Raises IndexError if there is no such group.

        RE2 in its Latin-1 mode names groups in bytes, everything else in text.
        """
        if isinstance(group, str):
            group = self._numbers.get(group, -1)
        found: bytes | None = self._match.group(group)
        return found


def searcher(pattern: str) -> Callable[[bytes], Groups | None]:
    """A function that finds the first match, and says what its groups are. Raises PatternError."""
    compiled = compile(pattern)
    search = compiled.search
    numbers = {name.decode(): number for name, number in compiled.groupindex.items()}

    def searched(data: bytes) -> Groups | None:
        match = search(data)
        return None if match is None else Groups(match, numbers)

    return searched


def finder(pattern: str) -> Find:
    """A function that says where the first match ends. Raises PatternError."""
    search = compile(pattern, captures=False).search

    def find(data: bytes | bytearray, begin: int, end: int) -> int:
        match = search(data, begin, end)
        return 0 if match is None else int(match.end())

    return find


def many(patterns: Sequence[str], *, anchored: bool) -> Callable[[bytes], list[int] | None] | None:
    """A function that says in one pass which of the patterns match, in no order; None if they are too many.

    The function returns None where RE2 ran out of memory, so that it is not known. `anchored`: all of them match at the
    beginning or nowhere, and need not be looked for further on.
    """
    import re2  # noqa: PLC0415 - as above

    patterns_set = (re2.Set.MatchSet if anchored else re2.Set.SearchSet)(_options(captures=False))
    try:
        for pattern in patterns:
            patterns_set.Add(pattern.encode())
        # RE2 tells that it ran out of memory as it tells that nothing matches: by an empty answer. This always matches.
        always = patterns_set.Add(b"")
        patterns_set.Compile()
    except re2.error:
        return None
    match = patterns_set.Match

    def matching(data: bytes) -> list[int] | None:
        found: Any = match(data)  # its stubs promise something else
        if found is None:
            return None
        found.remove(always)
        return list(found)

    return None if matching(b"") is None else matching


@lru_cache(maxsize=1024)
def bytes_of(token: bytes) -> frozenset[int]:
    """The bytes that a token matches which stands for one: all that it may match, whatever flags come before it."""
    compiled = [_compile(flags + token, _options(captures=False)) for flags in (b"(?s)", b"(?is)")]
    return frozenset(match.start() for each in compiled for match in each.finditer(bytes(range(256))))


@lru_cache(maxsize=2)
def _options(captures: bool) -> Any:
    import re2  # noqa: PLC0415 - as above

    options: Any = re2.Options()
    options.encoding = options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = MAX_PROGRAM_BYTES
    options.never_capture = not captures
    return options
