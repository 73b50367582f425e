"""Finds where a pattern first matches, byte by byte: each byte is examined once, however the stream is cut.

RE2 starts every search at the beginning, so bytes that it searched without a match are searched again when more arrive.
This keeps, between two bytes, the places of the pattern that the match may have reached (Glushkov automaton: one place
for each byte that the pattern names), as the bits of a number. The transitions from one such number to the next are
computed when they are first needed, and kept.
"""

import re
from collections.abc import Callable
from math import inf
from typing import Final, NamedTuple, TypeVar

from answerback.core import patterns
from answerback.core.framing.base import Buffer
from answerback.core.framing.incremental import ParseState
from answerback.core.pattern_syntax import fold

# Rule: cached states are bounded and can be dropped at any time: a connection keeps only a number.

MAX_PLACES: Final = 256
TRANSITION_BYTES: Final = 128  # bytes of memory for each cached state
MIN_TRANSITIONS, MAX_TRANSITIONS = 256, 8192
SKIP_AFTER: Final = 1000  # bytes that left a state unchanged before the set of bytes that change it is computed

T = TypeVar("T")
Search = Callable[[Buffer, int], re.Match[bytes] | None]


class _Fragment(NamedTuple):
    """A part of a pattern: for each of its positions, the bytes it matches and the positions that may follow.

    A fragment that becomes part of another is consumed: its lists are reused there.
    """

    takes: list[frozenset[int]]
    follow: list[int]
    first: int
    last: int
    may_be_empty: bool

    def copy(self) -> "_Fragment":
        return self._replace(takes=self.takes[:], follow=self.follow[:])


class _Fragments:
    """Builds the fragment of each part of a pattern."""

    def nothing(self) -> _Fragment:
        return _Fragment([], [], 0, 0, True)

    def one(self, token: bytes, flags: frozenset[str]) -> _Fragment:
        takes = patterns.bytes_under(token, "".join(sorted(flags & {"i", "s"})))
        return _Fragment([takes], [0], 1, 1, False)

    def asserted(self, _token: bytes) -> _Fragment:
        return self.nothing()

    def then(self, first: _Fragment, second: _Fragment) -> _Fragment:
        size = len(first.takes)
        begins = second.first << size
        _follow_all(first.last, begins, first.follow)
        return _Fragment(
            _extended(first.takes, second.takes),
            _extended(first.follow, [places << size for places in second.follow]),
            first.first | begins if first.may_be_empty else first.first,
            second.last << size | (first.last if second.may_be_empty else 0),
            first.may_be_empty and second.may_be_empty,
        )

    def either(self, one: _Fragment, other: _Fragment) -> _Fragment:
        size = len(one.takes)
        return _Fragment(
            _extended(one.takes, other.takes),
            _extended(one.follow, [places << size for places in other.follow]),
            one.first | other.first << size,
            one.last | other.last << size,
            one.may_be_empty or other.may_be_empty,
        )

    def repeated(self, inner: _Fragment, least: int, most: float) -> _Fragment:
        """`x{2,4}` is `xx(x(x)?)?`, and `x{2,}` is `xx+`."""
        if most == inf:
            end = inner.copy()._replace(may_be_empty=inner.may_be_empty or least == 0)
            _follow_all(inner.last, inner.first, end.follow)
            copies = max(0, least - 1)
        else:
            end, copies = self.nothing(), least
            for _ in range(int(most) - least):
                end = self.then(inner.copy(), end)._replace(may_be_empty=True)
        for _ in range(copies):
            end = self.then(inner.copy(), end)
        return end

    def captured(self, inner: _Fragment) -> _Fragment:
        return inner


def _extended(some: list[T], more: list[T]) -> list[T]:
    some += more
    return some


def _follow_all(last: int, begins: int, follow: list[int]) -> None:
    """Let the positions in `begins` follow each of the positions in `last`."""
    while last:
        at = last & -last
        follow[at.bit_length() - 1] |= begins
        last ^= at


class _Places:
    """Counts the positions of each part of a pattern."""

    def nothing(self) -> float:
        return 0

    def one(self, _token: bytes, _flags: frozenset[str]) -> float:
        return 1

    def asserted(self, _token: bytes) -> float:
        return 0

    def then(self, first: float, second: float) -> float:
        return first + second

    either = then

    def repeated(self, inner: float, least: int, most: float) -> float:
        return inner * (max(1, least) if most == inf else most)

    def captured(self, inner: float) -> float:
        return inner


def places(pattern: str) -> int:
    """Return the number of positions of a pattern: one for each byte it names, repetitions expanded."""
    return int(fold(pattern, _Places()))


class _State(dict[int, "_State"]):
    """A state of the automaton: maps a byte to the next state, computed on first use."""

    __slots__ = ("_automaton", "_stayed", "ends", "leaves", "places")

    def __init__(self, automaton: "Automaton", at: int, ends: bool) -> None:
        super().__init__()
        self._automaton = automaton
        self._stayed = 0
        self.places = at
        self.ends = ends
        self.leaves: Search | None = None
        """Finds the next byte that changes the state."""

    def __missing__(self, byte: int) -> "_State":
        self[byte] = state = self._automaton.after(self.places, byte)
        return state

    def stays(self) -> bool:
        """Count a byte that left the state unchanged; True if `leaves` can skip the following ones."""
        self._stayed += 1
        if self._stayed >= SKIP_AFTER and self.leaves is None:
            changing = b"".join(rb"\x%02x" % byte for byte in self._automaton.changing(self.places))
            self.leaves = re.compile(b"[%s]" % changing if changing else rb"(?!)").search
        return self.leaves is not None


class Automaton:
    """A pattern that RE2 takes, without assertions. Raises patterns.PatternError for one with too many places."""

    def __init__(self, pattern: str) -> None:
        count = places(pattern)
        if count > MAX_PLACES:
            raise patterns.PatternError(
                f"names {count} bytes; where a pattern ends a request it can be {MAX_PLACES}, each repetition counted. "
                "Write only how a request ends, or use length_prefix or fixed"
            )
        fragment = fold(pattern, _Fragments())
        self.may_be_empty = fragment.may_be_empty
        self._first, self._last = fragment.first, fragment.last
        self._takes = [0] * 256
        for at, takes in enumerate(fragment.takes):
            for byte in takes:
                self._takes[byte] |= 1 << at
        in_a_row = [following == 2 << at for at, following in enumerate(fragment.follow)]
        self._in_a_row = sum(1 << at for at, plain in enumerate(in_a_row) if plain)
        self._others = ~self._in_a_row & ((1 << len(fragment.follow)) - 1)
        self._eighths = [_Eighth(tuple(fragment.follow[at : at + 8])) for at in range(0, len(fragment.follow), 8)]
        self._most = min(MAX_TRANSITIONS, max(MIN_TRANSITIONS, patterns.compiler().memory // TRANSITION_BYTES))
        self._left = self._most
        self._states: dict[int, _State] = {}

    def parse(self, buffer: Buffer, begin: int, progress: ParseState) -> int:
        """Continue with the request at `begin`; returns its end, or 0. `progress.stage` is the automaton's state."""
        at, size = begin + progress.seen, len(buffer)
        state = self._state(progress.stage)
        while at < size:
            after = state[buffer[at]]
            at += 1
            if after is not state:
                if after.ends:
                    return at
                state = after
            elif state.stays() and state.leaves is not None:
                found = state.leaves(buffer, at)
                at = size if found is None else found.start()
        progress.stage = state.places
        progress.seen = progress.min_length = size - begin
        return 0

    def after(self, at: int, byte: int) -> _State:
        """Return the state that a byte leads to."""
        if not self._left:
            self._forget()
        self._left -= 1
        return self._state(self._reached(at) & self._takes[byte])

    def changing(self, at: int) -> list[int]:
        """Return the bytes that lead to another state than this one."""
        reached = self._reached(at)
        return [byte for byte, takes in enumerate(self._takes) if reached & takes != at]

    def _reached(self, at: int) -> int:
        """Return the positions that any byte may lead to; a match may begin here, too."""
        reached = self._first | (at & self._in_a_row) << 1
        others = at & self._others
        if others:
            for eighth, bits in zip(self._eighths, others.to_bytes(len(self._eighths), "little"), strict=True):
                if bits:
                    reached |= eighth[bits]
        return reached

    def _state(self, at: int) -> _State:
        state = self._states.get(at)
        if state is None:
            state = self._states[at] = _State(self, at, bool(at & self._last))
        return state

    def _forget(self) -> None:
        for state in self._states.values():
            state.clear()
        self._states.clear()
        self._left = self._most


class _Eighth(dict[int, int]):
    """The successors of eight positions, indexed by which of them are active."""

    __slots__ = ("_follow",)

    def __init__(self, follow: tuple[int, ...]) -> None:
        super().__init__()
        self._follow = follow

    def __missing__(self, bits: int) -> int:
        reached = 0
        for at, following in enumerate(self._follow):
            if bits >> at & 1:
                reached |= following
        self[bits] = reached
        return reached
