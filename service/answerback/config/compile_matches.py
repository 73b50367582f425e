"""Conditions to the core's matches, or to what says why those do not hold."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from answerback.config import payloads
from answerback.v1 import config_pb2 as v1

# Rule: one condition: one method or one row.

M = TypeVar("M")


class Makers(Protocol[M]):
    """What makes something of each condition: `core.matching` makes matches, `core.matching.misses` reasons."""

    def equals(self, literal: bytes, ignore_case: bool = False, /) -> M:
        """The request is these bytes."""

    def prefix(self, literal: bytes, ignore_case: bool = False, /) -> M:
        """It begins with them."""

    def suffix(self, literal: bytes, ignore_case: bool = False, /) -> M:
        """It ends with them."""

    def contains(self, literal: bytes, ignore_case: bool = False, /) -> M:
        """They are somewhere in it."""

    def regex(self, pattern: str, /) -> M:
        """A pattern matches somewhere in it."""

    def size(self, least: int = 0, most: int | None = None, /) -> M:
        """It has so many bytes."""

    def byte_string(self, offset: int, literal: bytes, mask: bytes | None = None, /) -> M:
        """There are these bytes at this place."""

    def peer(self, network: str, /) -> M:
        """It comes from there."""

    def request_number(self, first: int = 0, last: int | None = None, /) -> M:
        """It is one of these of its connection's."""

    def all_of(self, made: Sequence[M], /) -> M:
        """All of them hold."""

    def any_of(self, made: Sequence[M], /) -> M:
        """One of them holds."""

    def none_of(self, made: M, /) -> M:
        """It does not hold."""


def compile_match(match: v1.Match, files: Mapping[str, bytes], makers: Makers[M]) -> M:
    """What is made of a condition. Raises ValueError for what `check` would have refused."""
    return _Conditions(files, makers).compiled(match)


class _Conditions(Generic[M]):
    """Conditions being compiled."""

    def __init__(self, files: Mapping[str, bytes], makers: Makers[M]) -> None:
        self._files = files
        self._makers = makers
        self._literals: Mapping[str, Callable[[bytes, bool], M]] = {
            "equals": makers.equals,
            "prefix": makers.prefix,
            "suffix": makers.suffix,
            "contains": makers.contains,
        }

    def compiled(self, match: v1.Match) -> M:
        kind: str = match.WhichOneof("kind") or ""
        if kind in self._literals:
            literal: v1.Literal = getattr(match, kind)
            return self._literals[kind](payloads.decode(literal, self._files), literal.ignore_case)
        compiles: Callable[[v1.Match], M] | None = getattr(self, f"_match_{kind}", None)
        if compiles is None:
            raise ValueError("a condition says nothing")
        return compiles(match)

    def _all_compiled(self, matches: Iterable[v1.Match]) -> list[M]:
        return [self.compiled(match) for match in matches]

    def _match_regex(self, match: v1.Match) -> M:
        return self._makers.regex(match.regex)

    def _match_size(self, match: v1.Match) -> M:
        return self._makers.size(*_ends(match.size))

    def _match_bytes(self, match: v1.Match) -> M:
        here = match.bytes
        mask = payloads.decode(here.mask, self._files) if here.HasField("mask") else None
        return self._makers.byte_string(here.offset, payloads.decode(here.equals, self._files), mask)

    def _match_peer(self, match: v1.Match) -> M:
        return self._makers.peer(match.peer)

    def _match_request_number(self, match: v1.Match) -> M:
        return self._makers.request_number(*_ends(match.request_number))

    def _match_all(self, match: v1.Match) -> M:
        return self._makers.all_of(self._all_compiled(match.all.of))

    def _match_any(self, match: v1.Match) -> M:
        return self._makers.any_of(self._all_compiled(match.any.of))

    def _match_not(self, match: v1.Match) -> M:
        return self._makers.none_of(self.compiled(getattr(match, "not")))


def _ends(given: v1.Match.Range) -> tuple[int, int | None]:
    return given.min, given.max if given.HasField("max") else None
