"""Which requests a rule is for."""

from collections.abc import Callable, Sequence

from answerback.core import patterns

# Rule: one match, one function, one test. A match is a function of the request's bytes; it keeps nothing between calls.

Matcher = Callable[[bytes], bool]


def equals(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request is these bytes; `ignore_case` takes ASCII letters as equal to their other case."""
    if not ignore_case:
        return literal.__eq__
    folded = literal.lower()
    return lambda request: request.lower() == folded


def prefix(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request begins with these bytes."""
    if not ignore_case:
        return lambda request: request.startswith(literal)
    folded, size = literal.lower(), len(literal)
    return lambda request: request[:size].lower() == folded


def suffix(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request ends with these bytes."""
    if not ignore_case:
        return lambda request: request.endswith(literal)
    folded = literal.lower()
    return lambda request: request.lower().endswith(folded)


def contains(literal: bytes, ignore_case: bool = False) -> Matcher:
    """These bytes are somewhere in the request."""
    if not ignore_case:
        return lambda request: literal in request
    folded = literal.lower()
    return lambda request: folded in request.lower()


def regex(pattern: str) -> Matcher:
    """An RE2 pattern over bytes matches somewhere in the request.

    Raises `patterns.PatternError` for one that RE2 refuses.
    """
    search = patterns.compile(pattern).search
    return lambda request: search(request) is not None


def all_of(matchers: Sequence[Matcher]) -> Matcher:
    """Every one of them matches."""
    chosen = tuple(matchers)
    return lambda request: all(matches(request) for matches in chosen)


def any_of(matchers: Sequence[Matcher]) -> Matcher:
    """At least one of them matches."""
    chosen = tuple(matchers)
    return lambda request: any(matches(request) for matches in chosen)


def none_of(matcher: Matcher) -> Matcher:
    """It does not match."""
    return lambda request: not matcher(request)
