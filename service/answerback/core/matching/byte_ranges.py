"""The match by bytes at an offset, optionally under a bit mask."""

from answerback.core.context import RequestContext
from answerback.core.matching.base import Explainer, Matcher, Mismatch
from answerback.core.matching.effort import by_bytes


def byte_range(offset: int, literal: bytes, mask: bytes | None = None) -> Matcher:
    """The bytes at `offset` equal the literal in the bits that are set in the mask; in all bits without one.

    A request that ends before they do does not match. Raises ValueError for an offset below 0, and for a mask that is
    not as long as the literal.
    """
    if offset < 0:
        raise ValueError(f"bytes are at an offset of 0 or more, not {offset}")
    end = offset + len(literal)
    if mask is None:
        return by_bytes(lambda request, _context: request.startswith(literal, offset))
    if len(mask) != len(literal):
        raise ValueError(f"a mask of {len(mask)} bytes, for {len(literal)} that are compared")
    bits = int.from_bytes(mask)
    wanted = int.from_bytes(literal) & bits
    return by_bytes(
        lambda request, _context: len(request) >= end and int.from_bytes(request[offset:end]) & bits == wanted
    )


def explain_byte_range(offset: int, literal: bytes, mask: bytes | None = None) -> Explainer:
    """Explain `byte_range`."""
    matches = byte_range(offset, literal, mask)
    bits = mask or b"\xff" * len(literal)

    def explain(request: bytes, context: RequestContext) -> Mismatch | None:
        if matches(request, context):
            return None
        there = request[offset : offset + len(literal)]
        for place, (got, expected, mask_byte) in enumerate(zip(there, literal, bits, strict=False)):
            if (got ^ expected) & mask_byte:
                at = offset + place
                among = "" if mask_byte == 0xFF else f" in the bits {mask_byte:02x}"
                return Mismatch(
                    f"byte {at} is {got:02x}, not {expected:02x}{among}", at, bytes((expected,)), bytes((got,))
                )
        end = offset + len(literal)
        expected_next = literal[len(there) : len(there) + 1]
        return Mismatch(
            f"has {len(request)} bytes, and bytes {offset} to {end - 1} are compared", len(request), expected_next
        )

    return explain
