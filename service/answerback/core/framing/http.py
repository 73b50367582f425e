"""Framing of HTTP/1.1 requests (RFC 9112): a head, and the body that it announces."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.core.framing.base import Buffer, Malformed
from answerback.core.framing.walking import Heard, Walked

HEAD, BODY, CHUNK, DATA, TRAILERS = range(5)

# A line may end with LF alone in a head and in trailers (RFC 9112, 2.2), but not in a chunked body.
END_OF_FIELDS: Final = re.compile(rb"\n\r?\n")
# Header fields that give the body's length, also with a misplaced blank (5.1) or folded (5.2).
LENGTH_FIELDS: Final = re.compile(
    rb"\n(?:(content-length)|transfer-encoding)([ \t]*):([^\n]*(?:\n[ \t][^\n]*){0,16})", re.IGNORECASE
)
MOST_LENGTHS: Final = 16  # max. number of such fields, and of folded lines of one: more would only keep the server busy
LONGEST_VALUE: Final = 16384  # bytes of such a field: all existing codings together take less
FOLDED: Final = re.compile(rb"\n[ \t]")
LENGTH: Final = re.compile(rb"[0-9]{1,20}")  # digits, as h11 allows; no body is that long
CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")  # with chunk extensions (7.1.1)

CHUNKED: Final = -1


@dataclass(frozen=True, slots=True)
class Http(Walked):
    """A request is a head, up to the empty line, and its body, by Content-Length or chunked, with trailers.

    No byte is removed, except one empty line before the head. Malformed are: lengths that are not numbers or
    contradict each other, and a transfer coding that does not end with `chunked`. Nothing else of the head is
    checked.
    """

    def walk(self, buffer: Buffer, begin: int, heard: Heard) -> int:
        """See `Walked.walk`."""
        size = len(buffer) - begin
        if heard.stage == HEAD and not _head(buffer, begin, heard):
            heard.seen = size
            heard.least = size - heard.start
            return 0
        while True:
            if heard.stage == BODY:
                heard.least = heard.at - heard.start
                return begin + heard.at if size >= heard.at else 0
            if not heard.credit:
                heard.least = heard.at - heard.start
                return 0
            heard.credit -= 1
            follow = _FOLLOW[heard.stage]
            if not follow(buffer, begin, heard):
                heard.seen = size
                heard.least = max(size, heard.at) - heard.start
                return 0


def _head(buffer: Buffer, begin: int, heard: Heard) -> bool:
    """Look for the end of the head and determine the body; False if the end is not there yet."""
    if not heard.at and not _first_line(buffer, begin, heard):
        return False
    found = END_OF_FIELDS.search(buffer, begin + max(heard.at, heard.seen - 2))
    if found is None:
        return False
    end = found.end()
    length = _body_length(buffer, begin + heard.start, end)
    heard.at, heard.stage, heard.seen = end - begin, CHUNK, 0
    if length != CHUNKED:
        heard.at, heard.stage = end - begin + length, BODY
    return True


def _first_line(buffer: Buffer, begin: int, heard: Heard) -> bool:
    """Find the start of the request line: one empty line before it is ignored (RFC 9112, 2.2)."""
    first = bytes(buffer[begin : begin + 3])
    heard.start = 1 if first[:1] == b"\n" else 2 if first[:2] == b"\r\n" else 0
    if first == b"\r" or len(first) == heard.start:
        return False
    if first[heard.start] in b"\r\n":
        raise Malformed("a request line is missing")
    heard.at = heard.start
    return True


def _body_length(buffer: Buffer, begin: int, end: int) -> int:
    """Return the length of the body after this head in bytes, or CHUNKED (RFC 9112, 6.3)."""
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for number, field in enumerate(LENGTH_FIELDS.finditer(buffer, begin, end), 1):
        content_length, blank, value = field.groups()
        if blank:
            raise Malformed("white space before a colon")
        if number > MOST_LENGTHS or len(value) > LONGEST_VALUE or FOLDED.match(buffer, field.end(), end):
            raise Malformed("too many lengths")
        (lengths if content_length else codings).extend(part.strip(b" \t\r").lower() for part in value.split(b","))
    if codings:
        if lengths:
            raise Malformed("both Content-Length and Transfer-Encoding")
        codings = [coding for coding in codings if coding]
        if codings[-1:] != [b"chunked"] or codings.count(b"chunked") > 1:
            raise Malformed("the last transfer coding, and no other, has to be chunked")
        return CHUNKED
    return _content_length(lengths) if lengths else 0


def _content_length(values: Sequence[bytes]) -> int:
    """Return the length on which all values agree (RFC 9110, 8.6)."""
    if not all(LENGTH.fullmatch(value) for value in values):
        raise Malformed("Content-Length is no number")
    numbers = {int(value) for value in values}
    if len(numbers) > 1:
        raise Malformed("more than one Content-Length")
    return numbers.pop()


def _chunk(buffer: Buffer, begin: int, heard: Heard) -> bool:
    """Parse the line with a chunk's size."""
    start = begin + heard.at
    end = buffer.find(b"\n", max(start, begin + heard.seen)) + 1
    if not end:
        return False
    line = CHUNK_SIZE.fullmatch(buffer, start, end)
    if line is None:
        raise Malformed("a chunk does not begin with its size")
    size = int(line[1], 16)
    if size:
        heard.at, heard.stage = end - begin + size, DATA
    else:
        heard.at, heard.stage = end - begin - 1, TRAILERS  # with the LF, which an empty line follows if there are none
    heard.seen = 0
    return True


def _data(buffer: Buffer, begin: int, heard: Heard) -> bool:
    """Check the line end after a chunk; `at` is the end of its data."""
    at = begin + heard.at
    if len(buffer) < at + 2:
        return False
    if buffer[at : at + 2] != b"\r\n":
        raise Malformed("a chunk does not end where its size says")
    heard.at, heard.stage = heard.at + 2, CHUNK
    return True


def _trailers(buffer: Buffer, begin: int, heard: Heard) -> bool:
    """Parse the fields after the last chunk, up to the empty line."""
    found = END_OF_FIELDS.search(buffer, begin + max(heard.at, heard.seen - 2))
    if found is None:
        return False
    heard.at, heard.stage = found.end() - begin, BODY
    return True


_FOLLOW: Final = {CHUNK: _chunk, DATA: _data, TRAILERS: _trailers}
