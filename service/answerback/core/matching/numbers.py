"""Matches by how long a request is, and which of its connection's it is."""

from math import inf

from answerback.core.matching.base import Matcher, Miss, Reason
from answerback.core.matching.effort import by_bytes
from answerback.core.turn import Turn


def size(least: int = 0, most: int | None = None) -> Matcher:
    """The request has so many bytes at least, and so many at most, if there is a most."""
    bound = inf if most is None else most
    return by_bytes(lambda request, _turn: least <= len(request) <= bound)


def request_number(first: int = 0, last: int | None = None) -> Matcher:
    """The request is one from the first to the last of its connection's, which are counted from 1."""
    bound = inf if last is None else last
    return lambda _request, turn: first <= turn.number <= bound


def why_other_size(least: int = 0, most: int | None = None) -> Reason:
    """See `size`."""
    matches = size(least, most)

    def reason(request: bytes, turn: Turn) -> Miss | None:
        return None if matches(request, turn) else Miss(f"has {len(request)} bytes, not {_between(least, most)}")

    return reason


def why_other_number(first: int = 0, last: int | None = None) -> Reason:
    """See `request_number`."""
    matches = request_number(first, last)

    def reason(request: bytes, turn: Turn) -> Miss | None:
        if matches(request, turn):
            return None
        return Miss(f"is request {turn.number} of its connection, not {_between(first, last)}")

    return reason


def _between(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    return str(least) if least == most else f"{least} to {most}"
