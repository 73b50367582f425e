"""Matches made of others."""

from collections.abc import Generator, Sequence

from answerback.core.matching.base import Matcher, Miss, Reason
from answerback.core.matching.effort import Effort, InParts, effort_of, in_parts, with_effort
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

    def parts(request: bytes, turn: Turn) -> Generator[None, None, bool]:
        before = turn.captures
        for matcher in chosen:
            if not (yield from in_parts(matcher, request, turn)):
                turn.captures = before
                return False
        return True

    return with_effort(matches, _together(chosen, parts))


def any_of(matchers: Sequence[Matcher]) -> Matcher:
    """At least one of them matches: they are tried in order, and the first that does makes the captures."""
    chosen = tuple(matchers)

    def matches(request: bytes, turn: Turn) -> bool:
        for matcher in chosen:  # noqa: SIM110 - takes half the time of `any` over a generator
            if matcher(request, turn):
                return True
        return False

    def parts(request: bytes, turn: Turn) -> Generator[None, None, bool]:
        for matcher in chosen:
            if (yield from in_parts(matcher, request, turn)):
                return True
        return False

    return with_effort(matches, _together(chosen, parts))


def none_of(matcher: Matcher) -> Matcher:
    """It does not match."""

    def matches(request: bytes, turn: Turn) -> bool:
        before = turn.captures
        matched = matcher(request, turn)
        turn.captures = before
        return not matched

    def parts(request: bytes, turn: Turn) -> Generator[None, None, bool]:
        before = turn.captures
        matched = yield from in_parts(matcher, request, turn)
        turn.captures = before
        return not matched

    return with_effort(matches, _together((matcher,), parts))


def _together(matchers: Sequence[Matcher], parts: InParts) -> Effort:
    """What it takes to try all of them."""
    efforts = [effort_of(matcher) for matcher in matchers]
    weight = 1 + sum(effort.weight for effort in efforts)
    return Effort(weight, all(effort.by_bytes for effort in efforts), parts)


def why_not_all(reasons: Sequence[Reason]) -> Reason:
    """See `all_of`: the first that does not hold."""
    chosen = tuple(reasons)

    def reason(request: bytes, turn: Turn) -> Miss | None:
        return next((miss for each in chosen if (miss := each(request, turn)) is not None), None)

    return reason


def why_not_any(reasons: Sequence[Reason]) -> Reason:
    """See `any_of`: the one that holds furthest into the request."""
    chosen = tuple(reasons)

    def reason(request: bytes, turn: Turn) -> Miss | None:
        misses: list[Miss] = []
        for each in chosen:
            miss = each(request, turn)
            if miss is None:
                return None
            misses.append(miss)
        if not misses:
            return Miss("there is nothing to match")
        near = nearest(misses)
        why = near.why if len(misses) == 1 else f"is none of {len(misses)}; the nearest: {near.why}"
        return Miss(why, near.at, near.expected, near.got)

    return reason


def why_not_none(reason: Reason) -> Reason:
    """See `none_of`."""

    def inverse(request: bytes, turn: Turn) -> Miss | None:
        return Miss("matches what it should not") if reason(request, turn) is None else None

    return inverse


def nearest(misses: Sequence[Miss]) -> Miss:
    """The one that holds furthest into the request; the first of those that are alike."""
    return max(misses, key=lambda miss: -1 if miss.at is None else miss.at)
