"""Matches made of others."""

from collections.abc import Sequence

from answerback.core.matching.base import Matcher
from answerback.core.turn import Turn


def all_of(matchers: Sequence[Matcher]) -> Matcher:
    """Every one of them matches. The captures are those of the last that made some."""
    chosen = tuple(matchers)

    def matches(request: bytes, turn: Turn) -> bool:
        before = turn.captures
        for matcher in chosen:
            if not matcher(request, turn):
                turn.captures = before
                return False
        return True

    return matches


def any_of(matchers: Sequence[Matcher]) -> Matcher:
    """At least one of them matches: they are tried in order, and the first that does makes the captures."""
    chosen = tuple(matchers)

    def matches(request: bytes, turn: Turn) -> bool:
        for matcher in chosen:  # noqa: SIM110 - takes half the time of `any` over a generator
            if matcher(request, turn):
                return True
        return False

    return matches


def none_of(matcher: Matcher) -> Matcher:
    """It does not match."""

    def matches(request: bytes, turn: Turn) -> bool:
        before = turn.captures
        matched = matcher(request, turn)
        turn.captures = before
        return not matched

    return matches
