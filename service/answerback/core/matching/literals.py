"""Matches by bytes as they stand. With `ignore_case`, ASCII letters equal their other case."""

from answerback.core.matching.base import Matcher


def equals(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request is these bytes."""
    if not ignore_case:
        return lambda request, _turn: request == literal
    folded = literal.lower()
    return lambda request, _turn: request.lower() == folded


def prefix(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request begins with these bytes."""
    if not ignore_case:
        return lambda request, _turn: request.startswith(literal)
    folded, size = literal.lower(), len(literal)
    return lambda request, _turn: request[:size].lower() == folded


def suffix(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request ends with these bytes."""
    if not ignore_case:
        return lambda request, _turn: request.endswith(literal)
    folded, size = literal.lower(), len(literal)
    return lambda request, _turn: request[max(0, len(request) - size) :].lower() == folded


def contains(literal: bytes, ignore_case: bool = False) -> Matcher:
    """These bytes are somewhere in the request."""
    if not ignore_case:
        return lambda request, _turn: literal in request
    folded = literal.lower()
    return lambda request, _turn: folded in request.lower()
