"""Searches for many patterns together, so that a listener with fifty is hardly slower than one with one.

RE2 answers for a whole set in one pass. It does so by an automaton that it builds as it goes, each state of which is a
set of places within the patterns: where these may be anywhere, independently of each other, almost every byte makes a
new one, which costs a hundred times the search of each pattern by itself. So only those go into a set that stay tame.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf
from typing import Final

from answerback.core import patterns
from answerback.core.pattern_size import instructions
from answerback.core.pattern_syntax import ASSERTIONS, anchored, repetitions, tokens

# Rule: a set finds exactly what searching one by one would find; it only narrows the search.

# How many go into a set, by their loose ends; with more than two, each goes alone. 64 with one take 1 to 2 µs, and so
# do 8 with two, once the states are there; 50 with two take 9 µs for every byte. 5,000 do not compile.
MOST_IN_A_SET: Final = {0: 64, 1: 64, 2: 8}
MOST_INSTRUCTIONS: Final = 4000  # instructions of a set, as of a pattern: it compiles in at most 10 ms
FEW_REPETITIONS: Final = 4  # more than those, of something that may begin anywhere, are as many places to be in

Search = Callable[[bytes], Sequence[int]]
"""Returns the positions of matching patterns, unordered."""


class Sets:
    """Patterns in the order in which they are tried. Raises patterns.PatternError for one that RE2 rejects."""

    __slots__ = ("_only", "_searches", "longest")

    longest: int
    """The longest request, in bytes, that the sets may search: a search cannot be interrupted."""

    def __init__(self, ordered: Sequence[str], *, copies: int = 1) -> None:
        """`copies`: how many copies of these sets may exist; they share the patterns' memory."""
        self._searches: list[tuple[int, Search]] = []  # each with the first position it may find
        # By whether they are anchored, and how many go into one set.
        alike: dict[tuple[bool, int], list[int]] = defaultdict(list)
        for pattern in ordered:
            patterns.compile(pattern)
        sizes = [instructions(pattern) for pattern in ordered]  # RE2 says less of a pattern alone that begins plainly
        largest = 1
        for position, pattern in enumerate(ordered):
            parts = list(tokens(pattern))
            if sizes[position] > MOST_INSTRUCTIONS // 2:
                alike[False, 1].append(position)
            else:
                alike[anchored(parts), MOST_IN_A_SET.get(loose_ends(parts), 1)].append(position)
        for (at_the_beginning, most), positions in alike.items():
            for together in _pieces(positions, sizes, most, MOST_INSTRUCTIONS):
                largest = max(largest, sum(sizes[position] for position in together))
                self._searches += _together(ordered, together, at_the_beginning, copies)
        self._searches.sort(key=lambda search: search[0])
        self._only = self._searches[0][1] if len(self._searches) == 1 else None
        # A set takes 2 ns for each instruction and byte at the worst, where a pattern alone takes 6.
        self.longest = 2 * patterns.MAX_SEARCH // largest

    def matching(self, data: bytes) -> Iterable[int]:
        """Return the positions of the matching patterns, in order, each searched only when it is needed."""
        if self._only is None:
            return self._one_after_another(data)
        found = self._only(data)
        return sorted(found) if len(found) > 1 else found

    def _one_after_another(self, data: bytes) -> Iterator[int]:
        found: list[int] = []
        for first, search in self._searches:
            while found and found[0] < first:
                yield found.pop(0)
            for position in search(data):
                insort(found, position)
        yield from found

    def matching_in_parts(self, data: bytes) -> Iterator[int]:
        """Like `matching`, and yield -1 after each search."""
        found: list[int] = []
        for first, search in self._searches:
            while found and found[0] < first:
                yield found.pop(0)
            for position in search(data):
                insort(found, position)
            yield -1
        yield from found


def loose_ends(parts: Sequence[bytes]) -> int:
    """Count the places where a pattern may continue in more than one way, for unlimited bytes.

    Being unanchored counts as one; so does a repetition, unless the first byte that is not repeated ends it.
    """
    floating = not anchored(parts)
    loose = int(floating)
    for at, token in enumerate(parts):
        most = repetitions(token) or 0
        if most <= 1 or parts[at - 1] in ASSERTIONS:
            continue
        if floating and FEW_REPETITIONS < most < inf:
            loose += 2
        elif floating or not _ends_plainly(parts[at - 1], parts[at + 1 :]):
            loose += 1
    return loose


def _ends_plainly(repeated: bytes, behind: Sequence[bytes]) -> bool:
    """Whether a repetition ends at the first byte that must follow it."""
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


def _pieces(positions: Sequence[int], sizes: Sequence[int], most: int, instructions: int) -> Iterator[list[int]]:
    """Split the positions, in order, into pieces of at most `most`, and at most this many instructions."""
    piece: list[int] = []
    left = instructions
    for position in positions:
        if piece and (len(piece) == most or sizes[position] > left):
            yield piece
            piece, left = [], instructions
        piece.append(position)
        left -= sizes[position]
    if piece:
        yield piece


def _search(ordered: Sequence[str], position: int, *, captures: bool) -> Search:
    """Search for one pattern."""
    search = patterns.compile(ordered[position], captures=captures).search
    found = (position,)
    return lambda data: () if search(data) is None else found


def _alone(ordered: Sequence[str], position: int) -> Search:
    """Make the search for one pattern that is in no set."""
    return _search(ordered, position, captures=False)


def _instead(ordered: Sequence[str], position: int) -> Search:
    """Make the fallback search for one pattern of a set, with the object of the rule's own match."""
    return _search(ordered, position, captures=True)


def _together(
    ordered: Sequence[str], positions: Sequence[int], at_the_beginning: bool, copies: int
) -> Iterator[tuple[int, Search]]:
    """Make the search for these patterns in one pass, or in several if they are too many for one."""
    if len(positions) == 1:
        yield positions[0], _alone(ordered, positions[0])
        return
    memory = patterns.compiler().memory * len(positions) // (2 * copies)
    some = [ordered[position] for position in positions]
    matching = patterns.many(some, anchored=at_the_beginning, memory=memory)
    if matching is not None:
        yield positions[0], _in_one_pass(matching, positions, [_instead(ordered, position) for position in positions])
    else:
        half = len(positions) // 2
        yield from _together(ordered, positions[:half], at_the_beginning, copies)
        yield from _together(ordered, positions[half:], at_the_beginning, copies)


def _in_one_pass(
    matching: Callable[[bytes], Sequence[int] | None], positions: Sequence[int], one_by_one: Sequence[Search]
) -> Search:
    """Search with the set; with each pattern alone if the set runs out of memory."""

    def search(data: bytes) -> Sequence[int]:
        found = matching(data)
        if found is None:
            return [position for alone in one_by_one for position in alone(data)]
        return [positions[each] for each in found] if found else found

    return search
