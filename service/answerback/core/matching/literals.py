"""Matches by literal bytes. With `ignore_case`, ASCII letters equal their other case."""

from answerback.core.context import RequestContext
from answerback.core.escapes import quote
from answerback.core.matching.base import Explainer, Matcher, Mismatch
from answerback.core.matching.effort import by_bytes


def equals(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request is these bytes."""
    if not ignore_case:
        return by_bytes(lambda request, _context: request == literal)
    folded = literal.lower()
    return by_bytes(lambda request, _context: request.lower() == folded)


def prefix(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request begins with these bytes."""
    if not ignore_case:
        return by_bytes(lambda request, _context: request.startswith(literal))
    folded, size = literal.lower(), len(literal)
    return by_bytes(lambda request, _context: request[:size].lower() == folded)


def suffix(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request ends with these bytes."""
    if not ignore_case:
        return by_bytes(lambda request, _context: request.endswith(literal))
    folded, size = literal.lower(), len(literal)
    return by_bytes(lambda request, _context: request[max(0, len(request) - size) :].lower() == folded)


def contains(literal: bytes, ignore_case: bool = False) -> Matcher:
    """The request contains these bytes."""
    if not ignore_case:
        return by_bytes(lambda request, _context: literal in request)
    folded = literal.lower()
    return by_bytes(lambda request, _context: folded in request.lower())


def explain_equals(literal: bytes, ignore_case: bool = False) -> Explainer:
    """Explain `equals`."""

    def explain(request: bytes, _context: RequestContext) -> Mismatch | None:
        at = _agreeing(request, literal, ignore_case)
        if at == len(literal) == len(request):
            return None
        return _mismatch("is not", request, literal, at, at)

    return explain


def explain_prefix(literal: bytes, ignore_case: bool = False) -> Explainer:
    """Explain `prefix`."""

    def explain(request: bytes, _context: RequestContext) -> Mismatch | None:
        at = _agreeing(request, literal, ignore_case)
        return None if at == len(literal) else _mismatch("does not begin with", request, literal, at, at)

    return explain


def explain_suffix(literal: bytes, ignore_case: bool = False) -> Explainer:
    """Explain `suffix`, comparing from the end."""

    def explain(request: bytes, _context: RequestContext) -> Mismatch | None:
        same = _agreeing(request[::-1], literal[::-1], ignore_case)
        if same == len(literal):
            return None
        if same == len(request):
            return Mismatch(f"does not end with {quote(literal)}: it is shorter", 0, literal[-same - 1 :][:1])
        return _mismatch("does not end with", request, literal, len(request) - same - 1, len(literal) - same - 1)

    return explain


def explain_contains(literal: bytes, ignore_case: bool = False) -> Explainer:
    """Explain `contains`: the mismatch is where most of the literal was found."""

    def explain(request: bytes, _context: RequestContext) -> Mismatch | None:
        there, wanted = (request.lower(), literal.lower()) if ignore_case else (request, literal)
        if wanted in there:
            return None
        least, most = 0, len(wanted)  # binary search: the longest prefix of the literal that is found
        while most - least > 1:
            middle = (least + most) // 2
            least, most = (middle, most) if wanted[:middle] in there else (least, middle)
        if not least:
            return Mismatch(f"does not contain {quote(literal)}, nor its first byte")
        return _mismatch("does not contain", request, literal, there.find(wanted[:least]) + least, least)

    return explain


def _agreeing(request: bytes, literal: bytes, ignore_case: bool) -> int:
    """Return the length of the common prefix."""
    if ignore_case:
        request, literal = request.lower(), literal.lower()
    pairs = enumerate(zip(request, literal, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(request), len(literal)))


def _mismatch(verb: str, request: bytes, literal: bytes, at: int, of_literal: int) -> Mismatch:
    """Return a mismatch: the request differs at one byte from the literal at another."""
    got, expected = request[at : at + 1], literal[of_literal : of_literal + 1]
    if not got:
        detail = f"it ends where {quote(expected)} should follow" if at else "it is empty"
    elif not expected:
        detail = f"it goes on with {quote(got)} at byte {at}, where it should end"
    else:
        detail = f"byte {at} is {quote(got)}, not {quote(expected)}"
    return Mismatch(f"{verb} {quote(literal)}: {detail}", at, expected, got)
