"""Matches by how long a request is, and which of its connection's it is."""

from math import inf

from answerback.core.matching.base import Matcher


def size(least: int = 0, most: int | None = None) -> Matcher:
    """The request has so many bytes at least, and so many at most, if there is a most."""
    bound = inf if most is None else most
    return lambda request, _turn: least <= len(request) <= bound


def request_number(first: int = 0, last: int | None = None) -> Matcher:
    """The request is one from the first to the last of its connection's, which are counted from 1."""
    bound = inf if last is None else last
    return lambda _request, turn: first <= turn.number <= bound
