"""Framing by a pattern that ends a request: FIX and its checksum, prompts, anything with a recognisable end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from answerback.core import pattern_syntax, patterns
from answerback.core.framing.base import MOST, Buffer, Plain

# Bytes searched at first: enough for most requests, and not the whole buffer again for each of those in it.
FIRST_LOOK = 256


def check_pattern(pattern: str) -> None:
    r"""Refuse a pattern that cannot end a request.

    Raises patterns.PatternError: for what RE2 refuses; for `^ $ \A \z \b \B`, which ask what stands beside the match
    and may not be there yet; and for a pattern that matches without a byte.
    """
    search = patterns.compile(pattern).search
    for token in pattern_syntax.tokens(pattern):
        if token in pattern_syntax.ASSERTIONS:
            raise patterns.PatternError(f"{token.decode()} cannot be used where a pattern ends a request")
    if search(b"") is not None:
        raise patterns.PatternError("matches the empty string, so it would end a request before its first byte")


@dataclass(frozen=True, slots=True)
class Pattern(Plain):
    """A request ends with the first byte that makes the pattern match, which is part of it.

    Raises patterns.PatternError as `check_pattern` does. A pattern that matches bytes without limit (`.*`, `+`) is
    searched for from the beginning of the request each time more of it arrives; others are not.
    """

    pattern: str
    _find: patterns.Find = field(init=False, repr=False, compare=False)
    _widest: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile it."""
        check_pattern(self.pattern)
        # The dataclass is frozen for everybody else.
        object.__setattr__(self, "_find", patterns.finder(self.pattern))
        object.__setattr__(self, "_widest", pattern_syntax.widest(self.pattern))

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """See `Framing.cut`."""
        requests: list[bytes] = []
        at = 0
        while len(requests) < MOST:
            end = self._end(buffer, at, max(at, searched))
            if not end:
                break
            requests.append(bytes(buffer[at:end]))
            at = end
        return requests, at

    def taken(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.taken`."""
        at = 0
        for _ in range(requests):
            at = self._end(buffer, at, at)
        return at

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`."""
        return len(buffer)

    def _end(self, buffer: Buffer, begin: int, searched: int) -> int:
        """Where the request that begins there ends: the least end with a match before it; 0 if there is none.

        Up to `searched` there is none. What ends behind that begins less than the widest match before it.
        """
        size, end, look = len(buffer), 0, FIRST_LOOK
        while not end and searched < size:
            start = self._start(begin, searched)
            most = min(size, searched + max(look, searched - start))
            end = self._find(buffer, start, most)
            if not end:
                searched, look = most, 2 * look
        return self._least_end(buffer, begin, searched, end) if end else 0

    def _least_end(self, buffer: Buffer, begin: int, below: int, end: int) -> int:
        """The least end: above `below`, and `end` at most. Longer ones have a match too, so halving finds it."""
        middle = end - 1  # most often the match that begins first is the one that ends first
        while below < middle:
            found = self._find(buffer, self._start(begin, below), middle)
            if found:
                end = found
            else:
                below = middle
            middle = (below + end) // 2
        return end

    def _start(self, begin: int, searched: int) -> int:
        return begin if self._widest == inf else max(begin, searched - int(self._widest) + 1)
