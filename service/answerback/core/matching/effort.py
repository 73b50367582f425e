"""What it takes to try a match, so that a search can stop in time; how one made of many others is tried in parts."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from answerback.core.matching.base import Matcher
from answerback.core.turn import Turn

# Rule: a match of which nothing is said is taken for a cheap one, whose outcome cannot be remembered.

InParts = Callable[[bytes, Turn], Generator[None, None, bool]]
"""The same as a matcher, which gives way after each of its parts."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What it takes to try a match."""

    weight: int = 1
    """In units of what it takes to compare a few bytes, some 0.1 us; as much again for each `WEIGHED_BYTES`."""
    by_bytes: bool = False
    """Whether the request's bytes alone decide, each time alike."""
    in_parts: InParts | None = None
    """For a match made of others, any number of which may be tried."""


UNKNOWN_EFFORT: Final = Effort()
BY_BYTES: Final = Effort(by_bytes=True)
WEIGHED_BYTES: Final = 256
REGEX_WEIGHT: Final = 32  # a search by RE2 takes 2 to 6 us


def with_effort(matcher: Matcher, effort: Effort) -> Matcher:
    """The same matcher, of which `effort_of` says this."""
    vars(matcher)["effort"] = effort
    return matcher


def by_bytes(matcher: Matcher) -> Matcher:
    """The same matcher, of a request's bytes alone."""
    return with_effort(matcher, BY_BYTES)


def effort_of(matcher: Matcher) -> Effort:
    """What it takes to try it."""
    effort: Effort = getattr(matcher, "effort", UNKNOWN_EFFORT)
    return effort


def in_parts(matcher: Matcher, request: bytes, turn: Turn) -> Generator[None, None, bool]:
    """Whether it matches; gives way after each match that is not made of others."""
    parts = effort_of(matcher).in_parts
    if parts is not None:
        return (yield from parts(request, turn))
    matched = matcher(request, turn)
    yield
    return matched
