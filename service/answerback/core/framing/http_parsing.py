"""Parses HTTP/1.1 requests (RFC 9112): a head, and the body that it announces."""

import re
from collections.abc import Sequence
from typing import Final

from answerback.core.framing.base import Buffer, Malformed
from answerback.core.framing.incremental import ParseState

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

MAX_EMPTY_LINES: Final = 64  # before a request line; RFC 9112, 2.2, asks for at least one
EMPTY_LINES: Final = re.compile(rb"(?:\r?\n){0,%d}" % MAX_EMPTY_LINES)

EXPECTS: Final = re.compile(rb"\nexpect:[ \t]*100-continue[ \t]*\r?\n", re.IGNORECASE)
OLD_REQUEST_LINE: Final = re.compile(rb"[^\n]* HTTP/1\.0[ \t]*\r?\n")  # whose client does not know 100 (Continue)


def parse(buffer: Buffer, begin: int, state: ParseState) -> int:
    """Parse one request, its head and its body. See `incremental.Parse`."""
    size = len(buffer) - begin
    if state.stage == HEAD and not find_head_end(buffer, begin, state):
        state.seen = size
        state.min_length = size - state.start
        return 0
    while True:
        if state.stage == BODY:
            state.min_length = state.at - state.start
            return begin + state.at if size >= state.at else 0
        if not state.credit:
            state.min_length = state.at - state.start
            return 0
        state.credit -= 1
        follow = _FOLLOW[state.stage]
        if not follow(buffer, begin, state):
            state.seen = size
            state.min_length = max(size, state.at) - state.start
            return 0


def expects_continue(buffer: Buffer, begin: int, end: int) -> bool:
    """Whether the client waits for an interim reply before it sends the body that belongs to this head."""
    return EXPECTS.search(buffer, begin, end) is not None and OLD_REQUEST_LINE.match(buffer, begin, end) is None


def find_head_end(buffer: Buffer, begin: int, state: ParseState) -> bool:
    """Look for the end of the head and determine the body; False if the end is not there yet.

    `state.left` is the head's end then, and `state.at` with `state.stage` how the body begins.
    """
    if not state.at and not _first_line(buffer, begin, state):
        return False
    found = END_OF_FIELDS.search(buffer, begin + max(state.at, state.seen - 2))
    if found is None:
        return False
    end = found.end()
    length = _body_length(buffer, begin + state.start, end)
    state.at, state.stage, state.seen = end - begin, CHUNK, 0
    state.left = end - begin
    if length != CHUNKED:
        state.at, state.stage = end - begin + length, BODY
    return True


def _first_line(buffer: Buffer, begin: int, state: ParseState) -> bool:
    """Find the start of the request line, behind empty lines (RFC 9112, 2.2)."""
    start = begin
    if buffer[begin] in b"\r\n":
        lines = EMPTY_LINES.match(buffer, begin)
        assert lines is not None
        start = lines.end()
        state.start = start - begin
        first = bytes(buffer[start : start + 2])
        full = bytes(buffer[begin:start]).count(b"\n") == MAX_EMPTY_LINES
        if not first or (first == b"\r" and not full):
            return False
        if first[0] in b"\r\n":
            raise Malformed("the request line is missing")
    state.at = start - begin
    return True


def _body_length(buffer: Buffer, begin: int, end: int) -> int:
    """Return the length of the body after this head in bytes, or CHUNKED (RFC 9112, 6.3)."""
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for number, field in enumerate(LENGTH_FIELDS.finditer(buffer, begin, end), 1):
        content_length, blank, value = field.groups()
        if blank:
            raise Malformed("white space before the colon of a header field")
        if number > MOST_LENGTHS or len(value) > LONGEST_VALUE or FOLDED.match(buffer, field.end(), end):
            raise Malformed("too many or too long values of Content-Length or Transfer-Encoding")
        (lengths if content_length else codings).extend(part.strip(b" \t\r").lower() for part in value.split(b","))
    if codings:
        if lengths:
            raise Malformed("both Content-Length and Transfer-Encoding")
        codings = [coding for coding in codings if coding]
        if codings[-1:] != [b"chunked"] or codings.count(b"chunked") > 1:
            raise Malformed("chunked must be the last transfer coding, and only once")
        return CHUNKED
    return _content_length(lengths) if lengths else 0


def _content_length(values: Sequence[bytes]) -> int:
    """Return the length on which all values agree (RFC 9110, 8.6)."""
    if not all(LENGTH.fullmatch(value) for value in values):
        raise Malformed("Content-Length is not a number")
    numbers = {int(value) for value in values}
    if len(numbers) > 1:
        raise Malformed("several values of Content-Length")
    return numbers.pop()


def _chunk(buffer: Buffer, begin: int, state: ParseState) -> bool:
    """Parse the line with a chunk's size."""
    start = begin + state.at
    end = buffer.find(b"\n", max(start, begin + state.seen)) + 1
    if not end:
        return False
    line = CHUNK_SIZE.fullmatch(buffer, start, end)
    if line is None:
        raise Malformed("a chunk does not start with its size")
    size = int(line[1], 16)
    if size:
        state.at, state.stage = end - begin + size, DATA
    else:
        state.at, state.stage = end - begin - 1, TRAILERS  # with the LF, which an empty line follows if there are none
    state.seen = 0
    return True


def _data(buffer: Buffer, begin: int, state: ParseState) -> bool:
    """Check the line end after a chunk; `at` is the end of its data."""
    at = begin + state.at
    if len(buffer) < at + 2:
        return False
    if buffer[at : at + 2] != b"\r\n":
        raise Malformed("a chunk is not as long as its size")
    state.at, state.stage = state.at + 2, CHUNK
    return True


def _trailers(buffer: Buffer, begin: int, state: ParseState) -> bool:
    """Parse the fields after the last chunk, up to the empty line."""
    found = END_OF_FIELDS.search(buffer, begin + max(state.at, state.seen - 2))
    if found is None:
        return False
    state.at, state.stage = found.end() - begin, BODY
    return True


_FOLLOW: Final = {CHUNK: _chunk, DATA: _data, TRAILERS: _trailers}
