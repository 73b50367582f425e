"""The types of matches."""

from collections.abc import Callable
from dataclasses import dataclass

from answerback.core.context import RequestContext

Matcher = Callable[[bytes, RequestContext], bool]
"""Whether a rule matches this request, in its context."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a match does not hold."""

    why: str
    """The predicate of a sentence about the request: `ends after "PI"`."""
    at: int | None = None
    """The first byte of the request that differs, from 0, for matches by bytes."""
    expected: bytes = b""
    """The expected byte; empty where the request should end."""
    got: bytes = b""
    """The actual byte; empty where the request ends."""


Explainer = Callable[[bytes, RequestContext], Mismatch | None]
"""Explains why a match fails for this request, in its context; None if it succeeds."""
