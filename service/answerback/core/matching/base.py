"""The types of matches."""

from collections.abc import Callable
from dataclasses import dataclass

from answerback.core.context import RequestContext

Matcher = Callable[[bytes, RequestContext], bool]
"""Whether a rule is for this request, which is also its turn's."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a match does not hold."""

    why: str
    """What the request, or its turn, is or does: `ends after "PI"`."""
    at: int | None = None
    """The first byte of the request that differs, from 0, if the match is about its bytes."""
    expected: bytes = b""
    """What should be there; empty where the request should end."""
    got: bytes = b""
    """What is there; empty where the request ends."""


Reason = Callable[[bytes, RequestContext], Mismatch | None]
"""Why a match does not hold for this request, which is also its turn's; None if it does."""
