"""Incremental framings: they parse a request part by part and do not restart when more bytes arrive."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from math import inf
from sys import maxsize
from typing import ClassVar, Final

from answerback.core.framing.base import MOST, Buffer, Malformed, Plain

PARTS_AT_ONCE: Final = 256  # max. parts of requests that one `cut` parses: 0.5 ms
NO_ENDS: Final[list[int]] = []


class Heard:
    """The parse state of an incomplete request. Positions count from the first byte of its frame."""

    __slots__ = ("at", "credit", "least", "left", "seen", "size", "stage", "start")

    def __init__(self, credit: int = PARTS_AT_ONCE) -> None:
        self.credit = credit  # how many more parts may be parsed now
        self.start = 0  # start of the request within its frame
        self.at = 0  # start of the incomplete part
        self.seen = 0  # how far the end of that part was searched for
        self.stage = 0  # kind of the incomplete part
        self.left = 0  # number of parts still to come
        self.least = 0  # lower bound for the request's length
        self.size = 0  # bytes of it that were there


Walk = Callable[[Buffer, int, Heard], int]
"""Follows the frame that begins there, from where `Heard` left off, as far as its credit goes.

Where the frame ends, or 0 if it is not whole, or the credit is used up.
"""


class Walked:
    """An incremental framing. It is stateless itself; `begin` returns one that keeps a parse state."""

    __slots__ = ()

    rest: ClassVar[bool] = False
    gap: ClassVar[float] = inf
    unfinished: ClassVar[bool] = False

    @abstractmethod
    def walk(self, buffer: Buffer, begin: int, heard: Heard) -> int:
        """Parse one request. See `Walk`. Raises Malformed."""

    def begin(self) -> "Walker":
        """See `Framing.begin`."""
        return Walker(self.walk)

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - all is gone through
        """See `Framing.cut`."""
        return Walker(self.walk).cut(buffer, 0)

    def taken(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.taken`."""
        return Walker(self.walk).taken(buffer, requests)

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`."""
        return Walker(self.walk).least(buffer)


class Walker(Plain):
    """Parses one connection's stream."""

    __slots__ = ("_ends", "_heard", "_walk", "unfinished")

    unfinished: bool

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._ends = NO_ENDS  # of the requests that were found last, if there are several; and the size of the buffer
        self.unfinished = False
        self._heard: Heard | None = None  # of the request that was not whole when it was last looked for

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """See `Framing.cut`."""
        heard, self._heard = self._heard, None
        if heard is None or not searched or heard.size != searched:
            heard = Heard()
        else:
            heard.credit = PARTS_AT_ONCE
        self.unfinished = False
        requests: list[bytes] = []
        ends: list[int] = []
        at, size, walk = 0, len(buffer), self._walk
        while at < size and len(requests) < MOST:
            try:
                end = walk(buffer, at, heard)
            except Malformed:
                if requests:
                    break
                raise
            if not end:
                heard.size = size - at
                self._heard = heard
                self.unfinished = not heard.credit
                break
            requests.append(bytes(buffer[at + heard.start : end]))
            ends.append(end)
            at = end
            if at < size:
                heard = Heard(heard.credit)
        self._ends = [*ends, size] if len(ends) > 1 else NO_ENDS
        return requests, at

    def taken(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.taken`."""
        self._heard = None
        ends = self._ends
        if 0 < requests < len(ends) and ends[-1] == len(buffer):
            return ends[requests - 1]
        at = 0
        for _ in range(requests):
            at = self._walk(buffer, at, Heard(maxsize))
        return at

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`."""
        heard = self._heard
        if heard is None or heard.size != len(buffer):
            heard = Heard()
            if buffer:
                self._walk(buffer, 0, heard)
        return heard.least
