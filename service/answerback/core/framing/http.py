"""Framing of HTTP/1.1 requests (RFC 9112).

An incomplete request whose head says `Expect: 100-continue` has an interim reply: the client waits for it before it
sends the body (RFC 9110, 10.1.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from answerback.compat import override
from answerback.core.framing.base import Buffer
from answerback.core.framing.http_parsing import BODY, HEAD, expects_continue, find_head_end, parse
from answerback.core.framing.incremental import IncrementalFramer, IncrementalFraming, ParseState

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Http(IncrementalFraming):
    """A request is a head, up to the empty line, and its body, by Content-Length or chunked, with trailers.

    With `head_first`, the head is one request, and its body, if it announces one, is the next. No byte is removed,
    except empty lines before the head. Malformed are: lengths that are not numbers or contradict each other, and a
    transfer coding that does not end with `chunked`. Nothing else of the head is checked.
    """

    head_first: bool = False

    @override
    def new_framer(self) -> "HttpFramer":
        return HeadFirstFramer() if self.head_first else HttpFramer()

    @override
    def parse(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        return HeadFirstParser().parse(buffer, begin, state) if self.head_first else parse(buffer, begin, state)

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        return self.new_framer().split(buffer, 0)

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        return self.new_framer().consumed(buffer, requests)


class HttpFramer(IncrementalFramer):
    """Parses one connection's stream, and finds requests that expect an interim reply before their body."""

    __slots__ = ("_prompted", "interim")

    interim: bytes

    def __init__(self) -> None:
        super().__init__(parse)
        self.interim = b""
        self._prompted = False  # whether the incomplete request has its interim reply, or needs none

    @override
    def interim_sent(self) -> None:
        self.interim = b""

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        requests, at = super().split(buffer, searched)
        if requests or self.interim:  # what was not sent may be due again
            self._prompted, self.interim = False, b""
        if not self._prompted and self._waits_for_body():
            self._prompted = True
            if self._expects_continue(buffer, at):
                self.interim = CONTINUE
        return requests, at

    def _waits_for_body(self) -> bool:
        """Whether the head of the incomplete request is known."""
        return self._state is not None and self._state.stage != HEAD

    def _expects_continue(self, buffer: Buffer, at: int) -> bool:
        """Whether the client waits for an interim reply before it sends the body of the request at this position."""
        state = self._state
        return state is not None and expects_continue(buffer, at + state.start, at + state.left)


class HttpBody(bytes):
    """A body that is a request of its own, as it was sent: in chunks for example."""

    head: bytes


@dataclass(frozen=True, slots=True)
class _Announced:
    """A body that comes next: its head, and how its parse begins."""

    head: bytes
    stage: int
    size: int
    """For BODY; chunks have their own sizes."""


class HeadFirstParser:
    """Parses heads and bodies alternately."""

    def __init__(self) -> None:
        self.announced: _Announced | None = None  # the body that comes next; None: a head
        self.after: list[_Announced | None] = []  # the same behind each request that was parsed

    def parse(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        """Parse a head, or the body of the head before. See `incremental.Parse`."""
        announced = self.announced
        if state.stage == HEAD:
            if announced is None:
                return self._parse_head(buffer, begin, state)
            state.stage, state.at = announced.stage, announced.size
        end = parse(buffer, begin, state)
        if end:
            self._parsed(None)
        return end

    def _parse_head(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        if not find_head_end(buffer, begin, state):
            state.seen = len(buffer) - begin
            state.min_length = state.seen - state.start
            return 0
        end = begin + state.left
        size = state.at - state.left
        has_body = state.stage != BODY or size
        self._parsed(_Announced(bytes(buffer[begin + state.start : end]), state.stage, size) if has_body else None)
        return end

    def _parsed(self, announced: _Announced | None) -> None:
        self.announced = announced
        self.after.append(announced)


class HeadFirstFramer(HttpFramer):
    """Splits one connection's stream into heads and bodies."""

    __slots__ = ("_before", "_parser")

    has_history: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._parser = HeadFirstParser()
        self._parse = self._parser.parse
        self._before: _Announced | None = None  # what came next at the start of the last `split`

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        parser = self._parser
        self._before, parser.after = parser.announced, []
        requests, at = super().split(buffer, searched)
        announced = (self._before, *parser.after)
        return [_with_head(request, body) for request, body in zip(requests, announced, strict=False)], at

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        parser = self._parser
        announced = [self._before, *parser.after]
        parser.announced = self._before
        at = super().consumed(buffer, requests)
        if requests < len(announced):
            parser.announced = announced[requests]
        return at

    @override
    def min_length(self, buffer: Buffer) -> int:
        """The head has told the length of the body before its first byte."""
        announced = self._parser.announced
        if not buffer and announced is not None:
            return announced.size
        return super().min_length(buffer)

    def _waits_for_body(self) -> bool:
        return self._parser.announced is not None

    def _expects_continue(self, _buffer: Buffer, _at: int) -> bool:
        announced = self._parser.announced
        return announced is not None and expects_continue(announced.head, 0, len(announced.head))


def _with_head(request: bytes, announced: _Announced | None) -> bytes:
    """Return a body that knows its head; a head as it is."""
    if announced is None:
        return request
    body = HttpBody(request)
    body.head = announced.head
    return body
