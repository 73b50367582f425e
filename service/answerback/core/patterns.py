"""Regular expressions over bytes: RE2, in linear time and bounded memory whatever the pattern and the peer's bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, cast

from answerback.core.pattern_size import TooLarge, check_size

# Rule: the only module that imports RE2.
# Rule: every pattern passes `check_size` before it reaches RE2.

MAX_MEMORY: Final = 1 << 20  # of one pattern: with more, the automaton is no faster, and takes longer to fill
DEFAULT_MEMORY: Final = 512 << 10  # of one pattern where no budget is shared out, as in a command
LEAST_MEMORY: Final = 2 << 10
INSTRUCTION_BYTES: Final = 16
ENOUGH_MEMORY: Final = 8 << 20  # for the program of any pattern that `check_size` takes, and any set
MAX_SEARCH: Final = 1 << 29  # instructions times bytes of one search: 3 s of CPU at the worst
DEFAULT_REQUEST_BYTES: Final = 1 << 20
NONE: Final[Sequence[int]] = ()
CAPTURES_AS_ONE: Final = 16  # a search that reports this many groups takes twice the time


class PatternError(ValueError):
    """The pattern cannot be used: it is too costly, or RE2 rejects it; the text says why."""


class Compiler:
    """Compiles patterns, each once, and divides memory among them.

    RE2 builds an automaton as it searches, and keeps it; crafted input can make it grow without limit. `memory` is
    the limit for one pattern: its searches with and without groups together, and its part in sets. `request_bytes`:
    the longest request that they will search. `pause` is called after each compilation; in a thread it lets other
    threads run, because RE2 holds the interpreter lock while it compiles.
    """

    def __init__(
        self,
        memory: int = DEFAULT_MEMORY,
        request_bytes: int = DEFAULT_REQUEST_BYTES,
        pause: Callable[[], None] = lambda: None,
    ) -> None:
        self.memory = memory
        self.request_bytes = request_bytes
        self._pause = pause
        self._compiled: dict[tuple[str, bool], Any] = {}

    def compile(self, pattern: str, captures: bool) -> Any:
        """See `compile`."""
        found = self._compiled.get((pattern, captures))
        if found is None:
            found = self._compile(pattern, captures)
            self._compiled[pattern, captures] = found
        return found

    def _compile(self, pattern: str, captures: bool) -> Any:
        try:
            program = check_size(pattern) * INSTRUCTION_BYTES
        except TooLarge as problem:
            raise PatternError(str(problem)) from None
        least = max(self.memory // 2, program)
        found = with_memory(least, lambda memory: _compile(pattern.encode(), _options(captures, memory)))
        self._pause()
        return found

    def set_of(self, patterns: Sequence[str], anchored: bool, memory: int) -> Any:
        """Compile an RE2 set of these patterns, and of a last one that always matches. Raises PatternError."""
        found = with_memory(memory, lambda memory: _set(patterns, anchored, memory))
        self._pause()
        return found


_compiler: ContextVar[Compiler | None] = ContextVar("pattern_compiler", default=None)


def compiler() -> Compiler:
    """Return the compiler set by `compiling`; otherwise a private one."""
    return _compiler.get() or Compiler()


@contextmanager
def compiling(with_this: Compiler) -> Iterator[None]:
    """Use this compiler for everything within the block, and cache nothing elsewhere."""
    token = _compiler.set(with_this)
    try:
        yield
    finally:
        _compiler.reset(token)


def with_memory(memory: int, make: Callable[[int], Any]) -> Any:
    """Compile with this much memory, or with the smallest larger amount that suffices."""
    memory = min(MAX_MEMORY, max(LEAST_MEMORY, memory))
    while True:
        try:
            return make(memory)
        except PatternError as problem:
            if "too large" not in str(problem) or memory >= ENOUGH_MEMORY:
                raise
        memory *= 2


def compile(pattern: str, *, captures: bool = True) -> Any:  # noqa: A001 - as `re` calls it
    r"""The pattern, compiled in RE2's Latin-1 mode from its own UTF-8 bytes: `\xff` is the byte ff.

    Without `captures` its groups are not told, and a long match is found sooner (9 times, at 1 MiB).

    Raises PatternError.
    """
    return compiler().compile(pattern, captures)


def search_cost(pattern: str) -> float:
    """Return the worst-case cost of a search per byte, in instructions: all of them, without an automaton.

    Raises PatternError.
    """
    compiled = compile(pattern)
    return float(compiled.programsize * (1 + compiled.groups / CAPTURES_AS_ONE))


def most_instructions(request_bytes: int) -> int:
    """Return the max. instructions with which a search of the longest request ends in time."""
    return MAX_SEARCH // request_bytes


def _compile(pattern: bytes, options: Any) -> Any:
    import re2  # noqa: PLC0415 - on the first pattern: many configurations have none, and a worker's memory counts

    try:
        return re2.compile(pattern, options)
    except re2.error as problem:
        detail = problem.args[0]
        raise PatternError(detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)) from None
    finally:
        re2.purge()  # RE2 would cache the last 128, whose automata are not accounted for


def _set(patterns: Sequence[str], anchored: bool, memory: int) -> Any:
    import re2  # noqa: PLC0415 - as above

    made = (re2.Set.MatchSet if anchored else re2.Set.SearchSet)(_options(False, memory))
    try:
        for pattern in patterns:
            made.Add(pattern.encode())
        made.Add(b"")
        made.Compile()
    except re2.error as problem:
        raise PatternError(f"too large together: {problem}") from None
    return made


class Groups:
    """The groups of a pattern's match. See `context.Captures`."""

    __slots__ = ("_match", "_numbers")

    def __init__(self, match: Any, numbers: Mapping[str, int]) -> None:
        self._match = match
        self._numbers = numbers  # indexes of the named groups

    def group(self, group: int | str | bytes, /) -> bytes | None:
        """The bytes of a group; None if it took no part. Raises IndexError if there is no such group.

        RE2 in its Latin-1 mode names groups in bytes, everything else in text.
        """
        if isinstance(group, str):
            group = self._numbers.get(group, -1)
        found: bytes | None = self._match.group(group)
        return found


def searcher(pattern: str) -> Callable[[bytes], Groups | None]:
    """Return a function that finds the first match and its groups. Raises PatternError."""
    compiled = compile(pattern)
    search = compiled.search
    numbers = {name.decode(): number for name, number in compiled.groupindex.items()}

    def searched(data: bytes) -> Groups | None:
        match = search(data)
        return None if match is None else Groups(match, numbers)

    return searched


def many(patterns: Sequence[str], *, anchored: bool, memory: int) -> Callable[[bytes], Sequence[int] | None] | None:
    """Return a function that finds in one pass which patterns match, unordered; None if they are too many.

    The function returns None if RE2 ran out of memory, and so the result is unknown. `anchored`: all of them match at
    the beginning or not at all.
    """
    try:
        match = compiler().set_of(patterns, anchored, memory).Match
    except PatternError:
        return None
    # RE2 tells that it ran out of memory as it tells that nothing matches: by an empty answer. The last always matches.
    always = len(patterns)

    def matching(data: bytes) -> Sequence[int] | None:
        found: Any = match(data)  # its stubs declare another type
        if found is None:
            return None
        if len(found) == 1:
            return NONE  # most requests match none of many patterns
        found.remove(always)
        return cast(list[int], found)

    return None if matching(b"") is None else matching


ANY_BYTE: Final = frozenset(range(256))


@lru_cache(maxsize=1024)
def bytes_of(token: bytes) -> frozenset[int]:
    r"""The bytes that a token may match which stands for one, whatever flags come before it.

    For one with `\p` or `\P`, which take long under `(?i)`, all there are.
    """
    if rb"\p" in token or rb"\P" in token:
        return ANY_BYTE
    return bytes_under(token, "s") | bytes_under(token, "is")


@lru_cache(maxsize=1024)
def bytes_under(token: bytes, flags: str) -> frozenset[int]:
    """The bytes that a token matches which stands for one, under these of the flags `i` and `s`."""
    one_or_more = b"(?%s:%s)+" % (flags.encode(), token)
    found = _compile(one_or_more, _options(False, DEFAULT_MEMORY)).finditer(bytes(range(256)))
    return frozenset(byte for match in found for byte in range(match.start(), match.end()))


@lru_cache(maxsize=64)
def _options(captures: bool, memory: int) -> Any:
    import re2  # noqa: PLC0415 - as above

    options: Any = re2.Options()
    options.encoding = options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = memory
    options.never_capture = not captures
    return options
