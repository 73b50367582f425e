"""The match by a regular expression."""

from answerback.core import patterns
from answerback.core.context import RequestContext
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
        return Mismatch(
            f"nothing in it matches {pattern}"
            + (", but for the case of its letters" if _in_any_case(pattern, request) else "")
        )

    return explain


def _in_any_case(pattern: str, request: bytes) -> bool:
    try:
        return patterns.compile(f"(?i){pattern}", captures=False).search(request) is not None
    except patterns.PatternError:
        return False  # some classes are too costly when case is ignored
