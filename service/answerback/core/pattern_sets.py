"""Many patterns searched for together, so that a listener with fifty is hardly slower than one with one.

RE2 answers for a whole set in one pass. It does so by an automaton that it builds as it goes, each state of which is a
set of places within the patterns: where these may be anywhere, independently of each other, almost every byte makes a
new one, which costs a hundred times the search of each pattern by itself. So only those go into a set that stay tame.
"""

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from answerback.core import patterns
from answerback.core.pattern_syntax import ASSERTIONS, anchored, repetitions, tokens

# Rule: what is found together is what would be found one by one; a set only says where to look.

MOST_IN_A_SET: Final = 64  # 5,000 do not compile; a hundred cost no more than ten

Search = Callable[[bytes], Sequence[int]]
"""Positions of patterns that match, in no order."""


class Sets:
    """Patterns in the order in which they are to be tried. Raises patterns.PatternError for one that RE2 refuses."""

    __slots__ = ("_searches",)

    def __init__(self, ordered: Sequence[str]) -> None:
        self._searches: list[tuple[int, Search]] = []  # each with the first position that it may find
        together: dict[bool, list[int]] = {True: [], False: []}  # those that match at the beginning or nowhere; others
        for position, pattern in enumerate(ordered):
            patterns.compile(pattern)
            parts = list(tokens(pattern))
            if loose_ends(parts) > 1:
                self._searches.append((position, _alone(ordered, position)))
            else:
                together[anchored(parts)].append(position)
        for at_the_beginning, positions in together.items():
            for start in range(0, len(positions), MOST_IN_A_SET):
                self._searches += _together(ordered, positions[start : start + MOST_IN_A_SET], at_the_beginning)
        self._searches.sort(key=lambda search: search[0])

    def matching(self, data: bytes) -> Iterator[int]:
        """The positions of the patterns that match, in order, each searched for no sooner than it is needed."""
        found: list[int] = []
        for first, search in self._searches:
            while found and found[0] < first:
                yield found.pop(0)
            for position in search(data):
                insort(found, position)
        yield from found


def loose_ends(parts: Sequence[bytes]) -> int:
    """How often a pattern of these tokens may go on in more than one way, for bytes without limit.

    That it may begin anywhere is one; a repetition is one, unless the first byte that is not repeated ends it.
    """
    floating = not anchored(parts)
    loose = int(floating)
    for at, token in enumerate(parts):
        if (repetitions(token) or 0) <= 1 or parts[at - 1] in ASSERTIONS:
            continue
        if floating or not _ends_plainly(parts[at - 1], parts[at + 1 :]):
            loose += 1
    return loose


def _ends_plainly(repeated: bytes, behind: Sequence[bytes]) -> bool:
    """Whether what is repeated is over with the first byte that must come behind it."""
    if repeated == b")":
        return False
    rest = [token for token in behind if token != b")"]
    if not rest or rest[0] in ASSERTIONS:
        return False
    following = rest[0]
    if following == b"|" or following.startswith(b"(") or repetitions(following) is not None:
        return False
    if len(rest) > 1 and rest[1][:1] in {b"?", b"*", b"{"} and repetitions(rest[1]) is not None:
        return False
    return not patterns.bytes_of(repeated) & patterns.bytes_of(following)


def _alone(ordered: Sequence[str], position: int) -> Search:
    """Search for one pattern."""
    search = patterns.compile(ordered[position], captures=False).search
    found = (position,)
    return lambda data: () if search(data) is None else found


def _together(ordered: Sequence[str], positions: Sequence[int], at_the_beginning: bool) -> Iterator[tuple[int, Search]]:
    """Search for these in one pass, or in several if they are too many for one."""
    matching = patterns.many([ordered[position] for position in positions], anchored=at_the_beginning)
    if matching is not None:
        yield positions[0], _in_one_pass(matching, positions, [_alone(ordered, position) for position in positions])
    elif len(positions) == 1:
        yield positions[0], _alone(ordered, positions[0])
    else:
        half = len(positions) // 2
        yield from _together(ordered, positions[:half], at_the_beginning)
        yield from _together(ordered, positions[half:], at_the_beginning)


def _in_one_pass(
    matching: Callable[[bytes], list[int] | None], positions: Sequence[int], one_by_one: Sequence[Search]
) -> Search:
    """Ask the set; and each pattern if that had not the memory to tell."""

    def search(data: bytes) -> Sequence[int]:
        found = matching(data)
        if found is None:
            return [position for alone in one_by_one for position in alone(data)]
        return [positions[each] for each in found]

    return search
