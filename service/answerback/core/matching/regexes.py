"""The match by a regular expression."""

from answerback.core import patterns
from answerback.core.context import RequestContext
from answerback.core.escapes import quote
from answerback.core.matching import pattern_progress
from answerback.core.matching.base import Explainer, Matcher, Mismatch
from answerback.core.matching.effort import REGEX_WEIGHT, Effort, with_effort


def regex(pattern: str) -> Matcher:
    """An RE2 pattern over bytes matches somewhere in the request; its groups become the captures.

    Raises `patterns.PatternError` for a pattern that RE2 rejects.
    """
    search = patterns.searcher(pattern)

    def matches(request: bytes, context: RequestContext) -> bool:
        found = search(request)
        if found is None:
            return False
        context.captures = found
        return True

    weight = max(REGEX_WEIGHT, int(patterns.search_cost(pattern)))
    return with_effort(matches, Effort(weight, by_bytes=True))


def explain_regex(pattern: str) -> Explainer:
    """Explain `regex`. It says if only the case of letters is wrong."""
    matches = regex(pattern)

    def explain(request: bytes, context: RequestContext) -> Mismatch | None:
        if matches(request, context):
            return None
        why = f"nothing in it matches {pattern}"
        if _in_any_case(pattern, request):
            return Mismatch(f"{why}, but for the case of its letters")
        near = pattern_progress.progress(pattern, request) if pattern_progress.is_shown() else None
        if near is None:
            return Mismatch(why)
        follows = quote(request[near.at : near.at + 1]) if near.at < len(request) else "the end"
        why += f": {near.matched} does up to byte {near.at}, where {near.following} should follow, not {follows}"
        return Mismatch(why, near.at) if near.exact else Mismatch(why)

    return explain


def _in_any_case(pattern: str, request: bytes) -> bool:
    try:
        return patterns.compile(f"(?i){pattern}", captures=False).search(request) is not None
    except patterns.PatternError:
        return False  # some classes are too costly when case is ignored
