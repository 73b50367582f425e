"""The cost of trying a match, so that a search can yield in time, and combined matches tried in parts."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from answerback.core.context import RequestContext
from answerback.core.matching.base import Matcher

# Rule: a match without a declared effort counts as cheap, and its result as not cacheable.

InParts = Callable[[bytes, RequestContext], Generator[None, None, bool]]
"""Like a matcher, as a generator that yields after each part."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The cost of trying a match."""

    weight: int = 1
    """The cost in units of some 0.1 us (comparing a few bytes); the same again for each `WEIGHED_BYTES`."""
    by_bytes: bool = False
    """Whether the result depends on the request's bytes alone."""
    in_parts: InParts | None = None
    """Tries a combined match in parts."""
    counts_work: bool = False
    """Whether its cost depends on the length of other values than the request; `SearchBudget` bounds it."""


UNKNOWN_EFFORT: Final = Effort()
BY_BYTES: Final = Effort(by_bytes=True)
WEIGHED_BYTES: Final = 256
REGEX_WEIGHT: Final = 32  # a search by RE2 takes 2 to 6 us


def with_effort(matcher: Matcher, effort: Effort) -> Matcher:
    """Return the same matcher with a declared effort."""
    vars(matcher)["effort"] = effort
    return matcher


def by_bytes(matcher: Matcher) -> Matcher:
    """Return the same matcher, declared to depend on the request's bytes alone."""
    return with_effort(matcher, BY_BYTES)


def effort_of(matcher: Matcher) -> Effort:
    """Return the declared effort of a matcher, or the default."""
    effort: Effort = getattr(matcher, "effort", UNKNOWN_EFFORT)
    return effort


def in_parts(matcher: Matcher, request: bytes, context: RequestContext) -> Generator[None, None, bool]:
    """Try a match; yields after each part that is not itself a combination."""
    parts = effort_of(matcher).in_parts
    if parts is not None:
        return (yield from parts(request, context))
    matched = matcher(request, context)
    yield
    return matched
