"""Framing of a Redis server's replies: RESP2 and RESP3.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import re
from dataclasses import dataclass
from typing import Final

from answerback.compat import override
from answerback.core.escapes import quote
from answerback.core.framing.base import Buffer, Malformed
from answerback.core.framing.incremental import IncrementalFraming, ParseState

LINES: Final = b"+-:_,#("  # simple string, error, integer, null, double, boolean, big number
BULKS: Final = b"$=!"  # bulk string, verbatim string, bulk error
ELEMENTS: Final = {b"*"[0]: 1, b"~"[0]: 1, b">"[0]: 1, b"%"[0]: 2, b"|"[0]: 2}
"""How many values an element has: in arrays, sets and pushes; in maps and attributes."""
ATTRIBUTE: Final = b"|"[0]  # the value that it is about follows it

LENGTH: Final = re.compile(rb"(-1|[0-9]{1,20})\r\n")
LONGEST_LENGTH: Final = 22  # digits and CRLF
SHORTEST: Final = 3  # a value without content: `_`, CR, LF


@dataclass(frozen=True, slots=True)
class RespReplies(IncrementalFraming):
    """A reply is one value, with all that is in it. No byte is removed. A push of RESP3 is a reply of its own."""

    @override
    def parse(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        if not state.stage:
            state.stage = state.left = 1  # values to come
        at, size = begin + state.at, len(buffer)
        least = 0  # of this value
        while state.left and state.credit:
            state.credit -= 1
            if at == size:
                break
            kind = buffer[at]
            if kind in LINES:
                end = buffer.find(b"\n", max(at + 1, begin + state.seen)) + 1
                if not end:
                    least, state.seen = size - at, size - begin
                    break
                if not buffer.startswith(b"\r\n", end - 2):
                    raise Malformed("a line of a reply does not end with CRLF")
            else:
                end, least = _counted(buffer, at, kind, state)
                if not end:
                    break
            state.left -= 1
            state.seen = 0
            at = end
        if not state.left:
            return at
        state.at = at - begin
        state.min_length = state.at + max(least, SHORTEST) + (state.left - 1) * SHORTEST
        return 0


def _counted(buffer: Buffer, at: int, kind: int, state: ParseState) -> tuple[int, int]:
    """Return the end of a value with a length, or of the head of one with elements, which `state` gets.

    The end is 0 if it is incomplete; then the value has at least the second number of bytes.
    """
    if kind not in BULKS and kind not in ELEMENTS:
        raise Malformed(f"{quote(bytes(buffer[at : at + 1]))} does not begin a reply")
    head = LENGTH.match(buffer, at + 1)
    if head is None:
        part = bytes(buffer[at + 1 : at + 1 + LONGEST_LENGTH])
        if b"\n" in part or len(part) == LONGEST_LENGTH or not _may_be_length(part):
            raise Malformed("the length of a reply is not a number")
        return 0, len(buffer) - at
    count = int(head[1])
    if kind in ELEMENTS:
        state.left += max(count, 0) * ELEMENTS[kind] + (kind == ATTRIBUTE)
        return head.end(), 0
    if count < 0:
        return head.end(), 0
    end = head.end() + count + 2
    if end > len(buffer):
        return 0, end - at
    if buffer[end - 2 : end] != b"\r\n":
        raise Malformed("a bulk string is not as long as its length")
    return end, 0


def _may_be_length(part: bytes) -> bool:
    """Whether more bytes may make a length of these."""
    digits = part.removesuffix(b"\r").removeprefix(b"-")
    return not digits or digits.isdigit()
