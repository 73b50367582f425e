"""Matches by a regular expression."""

from answerback.core import patterns
from answerback.core.matching.base import Matcher, Miss, Reason
from answerback.core.matching.effort import REGEX_WEIGHT, Effort, with_effort
from answerback.core.turn import Turn


def regex(pattern: str) -> Matcher:
    """An RE2 pattern over bytes matches somewhere in the request; the turn's captures are its groups then.

    Raises `patterns.PatternError` for one that RE2 refuses.
    """
    search = patterns.searcher(pattern)

    def matches(request: bytes, turn: Turn) -> bool:
        found = search(request)
        if found is None:
            return False
        turn.captures = found
        return True

    weight = max(REGEX_WEIGHT, int(patterns.search_cost(pattern)))
    return with_effort(matches, Effort(weight, by_bytes=True))


def why_not_found(pattern: str) -> Reason:
    """See `regex`. It says whether letters of the other case are all that is wrong."""
    matches = regex(pattern)

    def reason(request: bytes, turn: Turn) -> Miss | None:
        if matches(request, turn):
            return None
        return Miss(
            f"nothing in it matches {pattern}"
            + (", but for the case of its letters" if _in_any_case(pattern, request) else "")
        )

    return reason


def _in_any_case(pattern: str, request: bytes) -> bool:
    try:
        return patterns.compile(f"(?i){pattern}", captures=False).search(request) is not None
    except patterns.PatternError:
        return False  # some classes are too much work in both cases
