"""Matches by bytes at a place, some of their bits, if a mask says which."""

from answerback.core.matching.base import Matcher


def byte_string(offset: int, literal: bytes, mask: bytes | None = None) -> Matcher:
    """The bytes at `offset` are the literal's, in the bits that are set in the mask; all of them without a mask.

    A request that ends before they do does not match. Raises ValueError for an offset below 0, and for a mask that is
    not as long as the literal.
    """
    if offset < 0:
        raise ValueError(f"bytes are at an offset of 0 or more, not {offset}")
    end = offset + len(literal)
    if mask is None:
        return lambda request, _turn: request.startswith(literal, offset)
    if len(mask) != len(literal):
        raise ValueError(f"a mask of {len(mask)} bytes, for {len(literal)} that are compared")
    bits = int.from_bytes(mask)
    wanted = int.from_bytes(literal) & bits
    return lambda request, _turn: len(request) >= end and int.from_bytes(request[offset:end]) & bits == wanted
