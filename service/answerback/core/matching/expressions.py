"""Matches by a regular expression."""

from answerback.core import patterns
from answerback.core.matching.base import Matcher
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

    return matches
