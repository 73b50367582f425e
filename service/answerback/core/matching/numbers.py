"""Matches by the request's length and by its number within the connection."""

from math import inf

from answerback.core.context import RequestContext
from answerback.core.matching.base import Explainer, Matcher, Mismatch
from answerback.core.matching.effort import by_bytes


def size(least: int = 0, most: int | None = None) -> Matcher:
    """The request has at least `least` bytes, and at most `most` if given."""
    bound = inf if most is None else most
    return by_bytes(lambda request, _context: least <= len(request) <= bound)


def request_number(first: int = 0, last: int | None = None) -> Matcher:
    """The request's number within its connection, counted from 1, is in this range."""
    bound = inf if last is None else last
    return lambda _request, context: first <= context.number <= bound


def explain_size(least: int = 0, most: int | None = None) -> Explainer:
    """Explain `size`."""
    matches = size(least, most)

    def explain(request: bytes, context: RequestContext) -> Mismatch | None:
        return None if matches(request, context) else Mismatch(f"has {len(request)} bytes, not {_between(least, most)}")

    return explain


def explain_request_number(first: int = 0, last: int | None = None) -> Explainer:
    """Explain `request_number`."""
    matches = request_number(first, last)

    def explain(request: bytes, context: RequestContext) -> Mismatch | None:
        if matches(request, context):
            return None
        return Mismatch(f"is request {context.number} of its connection, not {_between(first, last)}")

    return explain


def _between(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"
