"""Framing of HTTP/1.1 responses (RFC 9112), whose bodies depend on the requests that they answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from sys import maxsize
from typing import ClassVar, Final, Self

from answerback.core.framing.base import Buffer, Malformed
from answerback.core.framing.http_fields import header, method
from answerback.core.framing.http_parsing import BODY, HEAD, LENGTH_FIELDS, TRAILERS, find_head_end, parse
from answerback.core.framing.incremental import PARTS_AT_ONCE, ParseState

STATUS_LINE: Final = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: [^\n]*)?\n|HTTP/1\.[0-9] ([1-9][0-9]{2})\r\n")
TO_THE_END: Final = TRAILERS + 1  # a body that ends with the stream
FINAL: Final = 200
SWITCHING: Final = 101  # final although it is below 200: what follows is no HTTP (RFC 9110, 15.2.2)
REDIRECTION: Final = 300
TUNNEL: Final = b"CONNECT"  # what follows a 2xx to it is a tunnel (RFC 9110, 9.3.6)
WITHOUT_BODY: Final = frozenset((204, 304))


@dataclass(frozen=True, slots=True)
class HttpReplies:
    """A reply is a head and its body: by Content-Length, chunked, or up to the end of the stream (RFC 9112, 6.3)."""

    eof_completes: ClassVar[bool] = False
    idle_gap: ClassVar[float] = inf
    unfinished: ClassVar[bool] = False
    has_history: ClassVar[bool] = True
    interim: ClassVar[bytes] = b""
    is_extra: ClassVar[bool] = False
    switches: ClassVar[bool] = False

    def interim_sent(self) -> None:
        """See `Framing.interim_sent`: there is none."""

    def answers(self, request: bytes) -> None:
        """See `Framing.answers`: what `new_framer` returns needs it."""

    def may_switch(self, request: bytes) -> bool:
        """See `Framing.may_switch`."""
        return HttpReplyFramer().may_switch(request)

    def new_framer(self) -> "HttpReplyFramer":
        """See `Framing.new_framer`."""
        return HttpReplyFramer()

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - from the start
        """See `Framing.split`."""
        return HttpReplyFramer().split(buffer, 0)

    def consumed(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.consumed`."""
        return HttpReplyFramer().consumed(buffer, requests)

    def min_length(self, buffer: Buffer) -> int:
        """See `Framing.min_length`."""
        return HttpReplyFramer().min_length(buffer)


class HttpReplyFramer:
    """Parses the replies on one connection, one in each `split`: the next depends on the next request."""

    __slots__ = ("_method", "_state", "eof_completes", "is_extra", "switches", "unfinished")

    idle_gap: ClassVar[float] = inf
    has_history: ClassVar[bool] = True
    interim: ClassVar[bytes] = b""
    eof_completes: bool
    is_extra: bool
    switches: bool
    unfinished: bool

    def __init__(self) -> None:
        self._method = b""
        self._state: ParseState | None = None  # of the reply that was incomplete at the last call
        self.eof_completes = self.is_extra = self.switches = self.unfinished = False

    def interim_sent(self) -> None:
        """See `Framing.interim_sent`: there is none."""

    def answers(self, request: bytes) -> None:
        """See `Framing.answers`."""
        self._method = method(request) if request else b""

    def may_switch(self, request: bytes) -> bool:
        """See `Framing.may_switch`."""
        return method(request) == TUNNEL or bool(header(request, b"upgrade"))

    def new_framer(self) -> Self:
        """See `Framing.new_framer`."""
        return self

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """See `Framing.split`."""
        state, self._state = self._state, None
        if state is None or not searched or state.size != searched:
            state = ParseState()
        state.credit = PARTS_AT_ONCE
        self.unfinished = False
        end = self._parse(buffer, state) if buffer else 0
        if end:
            return (bytes(buffer[state.start : end]),), end
        state.size = len(buffer)
        self._state = state
        self.unfinished = not state.credit
        return (), 0

    def consumed(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.consumed`."""
        at = 0
        for _ in range(requests):
            at += self._parse(buffer[at:], ParseState(maxsize))
        return at

    def min_length(self, buffer: Buffer) -> int:
        """See `Framing.min_length`."""
        state = self._state
        if state is None or state.size != len(buffer):
            state = ParseState()
            if buffer:
                self._parse(buffer, state)
        return state.min_length

    def _parse(self, buffer: Buffer, state: ParseState) -> int:
        """Return the end of the reply at the start of the buffer; 0 if it is incomplete."""
        if state.stage == HEAD:
            self.eof_completes = self.is_extra = self.switches = False
            if not find_head_end(buffer, 0, state):
                state.seen = len(buffer)
                state.min_length = state.seen - state.start
                return 0
            self._find_body(bytes(buffer[state.start : state.left]), state)
        if state.stage == TO_THE_END:
            self.eof_completes = True
            state.min_length = len(buffer) - state.start
            return 0
        return parse(buffer, 0, state)

    def _find_body(self, head: bytes, state: ParseState) -> None:
        """Decide how the body ends that belongs to this head, where that is not as in a request."""
        line = STATUS_LINE.match(head)
        if line is None:
            raise Malformed("the status line is missing")
        status = int(line[1] or line[2])
        self.is_extra = status < FINAL and status != SWITCHING
        tunnel = self._method == TUNNEL and FINAL <= status < REDIRECTION
        self.switches = tunnel or status == SWITCHING
        if status < FINAL or status in WITHOUT_BODY or self._method == b"HEAD" or tunnel:
            state.stage, state.at = BODY, state.left
        elif LENGTH_FIELDS.search(head) is None:
            state.stage = TO_THE_END
