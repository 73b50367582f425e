"""Incremental framings: they parse a request part by part and do not restart when more bytes arrive."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from math import inf
from sys import maxsize
from typing import ClassVar, Final

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Malformed, Stateless

PARTS_AT_ONCE: Final = 256  # max. parts of requests that one `split` parses: 0.5 ms
NO_ENDS: Final[list[int]] = []


class ParseState:
    """The parse state of an incomplete request. Positions count from the first byte of its frame."""

    __slots__ = ("at", "credit", "left", "min_length", "seen", "size", "stage", "start")

    def __init__(self, credit: int = PARTS_AT_ONCE) -> None:
        self.credit = credit  # how many more parts may be parsed now
        self.start = 0  # start of the request within its frame
        self.at = 0  # start of the incomplete part
        self.seen = 0  # how far the end of that part was searched for
        self.stage = 0  # kind of the incomplete part
        self.left = 0  # number of parts still to come
        self.min_length = 0  # lower bound for the request's length
        self.size = 0  # bytes of the request that had arrived


Parse = Callable[[Buffer, int, ParseState], int]
"""Parses the frame that begins at this position, from where the state left off, as far as its credit goes.

Returns where the frame ends; 0 if it is incomplete, or if the credit is used up.
"""


class IncrementalFraming:
    """An incremental framing. It is stateless itself; `new_framer` returns one that keeps a parse state."""

    __slots__ = ()

    eof_completes: ClassVar[bool] = False
    idle_gap: ClassVar[float] = inf
    unfinished: ClassVar[bool] = False
    has_history: ClassVar[bool] = False
    interim: ClassVar[bytes] = b""
    is_extra: ClassVar[bool] = False
    switches: ClassVar[bool] = False

    def interim_sent(self) -> None:
        """See `Framing.interim_sent`: there is none."""

    def answers(self, request: bytes) -> None:
        """See `Framing.answers`: replies do not depend on it."""

    def may_switch(self, request: bytes) -> bool:  # noqa: ARG002 - none may
        """See `Framing.may_switch`: what follows a reply is the next one."""
        return False

    @abstractmethod
    def parse(self, buffer: Buffer, begin: int, state: ParseState) -> int:
        """Parse one request. See `Parse`. Raises Malformed."""

    def new_framer(self) -> "IncrementalFramer":
        """See `Framing.new_framer`."""
        return IncrementalFramer(self.parse)

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - it parses from the start
        """See `Framing.split`."""
        return IncrementalFramer(self.parse).split(buffer, 0)

    def consumed(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.consumed`."""
        return IncrementalFramer(self.parse).consumed(buffer, requests)

    def min_length(self, buffer: Buffer) -> int:
        """See `Framing.min_length`."""
        return IncrementalFramer(self.parse).min_length(buffer)


class IncrementalFramer(Stateless):
    """Parses one connection's stream."""

    __slots__ = ("_ends", "_parse", "_state", "unfinished")

    unfinished: bool

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self._ends = NO_ENDS  # of the last requests, if there were several, and the size of the buffer
        self.unfinished = False
        self._state: ParseState | None = None  # of the request that was incomplete at the last call

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        state, self._state = self._state, None
        if state is None or not searched or state.size != searched:
            state = ParseState()
        else:
            state.credit = PARTS_AT_ONCE
        self.unfinished = False
        requests: list[bytes] = []
        ends: list[int] = []
        at, size, parse = 0, len(buffer), self._parse
        while at < size and len(requests) < MAX_BATCH:
            try:
                end = parse(buffer, at, state)
            except Malformed:
                if requests:
                    break
                raise
            if not end:
                state.size = size - at
                self._state = state
                self.unfinished = not state.credit
                break
            requests.append(bytes(buffer[at + state.start : end]))
            ends.append(end)
            at = end
            if at < size:
                state = ParseState(state.credit)
        self._ends = [*ends, size] if len(ends) > 1 else NO_ENDS
        return requests, at

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        self._state = None
        ends = self._ends
        if 0 < requests < len(ends) and ends[-1] == len(buffer):
            return ends[requests - 1]
        at = 0
        for _ in range(requests):
            at = self._parse(buffer, at, ParseState(maxsize))
        return at

    @override
    def min_length(self, buffer: Buffer) -> int:
        state = self._state
        if state is None or state.size != len(buffer):
            state = ParseState()
            if buffer:
                self._parse(buffer, 0, state)
        return state.min_length
