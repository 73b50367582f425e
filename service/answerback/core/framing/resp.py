"""Framing of a Redis client's requests: RESP2 arrays of bulk strings, and inline commands.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import re
from dataclasses import dataclass
from typing import Final

from answerback.compat import override
from answerback.core.escapes import quote
from answerback.core.framing.base import Buffer, Malformed
from answerback.core.framing.incremental import IncrementalFraming, ParseState

ARRAY, BULK = range(2)

LONGEST_NUMBER: Final = 24  # with type byte and CRLF: at most 20 digits and a sign
SHORTEST_BULK: Final = 6  # $0 CRLF CRLF
# One search for each number: what does not match is incomplete or malformed, and `_number_end` finds out which.
ARRAY_LINE: Final = re.compile(rb"\*([0-9]{1,21})\r\n")
BULK_LINE: Final = re.compile(rb"\$([0-9]{1,21})\r\n")


@dataclass(frozen=True, slots=True)
class Resp(IncrementalFraming):
    """A request is an array of bulk strings, or a line that does not begin as one. No byte is removed."""

    @override
    def parse(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        if state.stage == ARRAY:
            line = ARRAY_LINE.match(buffer, begin)
            if line is None:
                return _no_elements(buffer, begin, state)
            state.left = int(line[1])
            state.at, state.stage = line.end() - begin, BULK
        at, left, size = begin + state.at, state.left, len(buffer)
        least = 0  # of this bulk string
        while left and state.credit:
            state.credit -= 1
            line = BULK_LINE.match(buffer, at)
            if line is None:
                start = _number_end(buffer, at, b"$")
                if start:
                    digits = bytes(buffer[at + 1 : start - 2])
                    raise Malformed(f"the length of a bulk string is not a number: {quote(digits)}")
                least = size - at
                break
            end = line.end() + int(line[1]) + 2
            if end > size:
                least = end - at
                break
            if buffer[end - 2 : end] != b"\r\n":
                raise Malformed("a bulk string is not as long as its length")
            at = end
            left -= 1
        if not left:
            return at
        state.at, state.left = at - begin, left
        state.min_length = state.at + max(least, SHORTEST_BULK) + (left - 1) * SHORTEST_BULK
        return 0


def _no_elements(buffer: Buffer, begin: int, state: ParseState) -> int:
    """Return the end of a line, or of an array with fewer than 0 elements; 0 if it is incomplete."""
    if not buffer.startswith(b"*", begin):
        return _inline(buffer, begin, state)
    end = _number_end(buffer, begin, b"*")
    if not end:
        state.min_length = len(buffer) - begin
        return 0
    digits = bytes(buffer[begin + 1 : end - 2])
    if not digits.startswith(b"-") or not digits[1:].isdigit():
        raise Malformed(f"the length of an array is not a number: {quote(digits)}")
    return end  # Redis treats it as empty


def _inline(buffer: Buffer, begin: int, state: ParseState) -> int:
    """Return the end of the line; 0 if it is incomplete."""
    end = buffer.find(b"\n", begin + state.seen) + 1
    if not end:
        state.seen = state.min_length = len(buffer) - begin
    return end


def _number_end(buffer: Buffer, at: int, mark: bytes) -> int:
    """Return the end of the line with this type byte and a number; 0 if it is incomplete."""
    size = len(buffer)
    if at == size:
        return 0
    if not buffer.startswith(mark, at):
        raise Malformed(f"expected {quote(mark)}, not {quote(bytes(buffer[at : at + 1]))}")
    end = buffer.find(b"\n", at, at + LONGEST_NUMBER) + 1
    if not end:
        if size - at >= LONGEST_NUMBER:
            raise Malformed("a number is too long")
        return 0
    if not buffer.startswith(b"\r\n", end - 2):
        raise Malformed("a number does not end with CRLF")
    return end
