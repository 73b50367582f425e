"""What a framing is."""

from collections.abc import Sequence
from math import inf
from typing import ClassVar, Final, Protocol, Self

Buffer = bytes | bytearray

MOST: Final = 64  # requests cut at once: what is cut in vain, because the first of them waits, stays little


class Malformed(Exception):
    """What is in the buffer begins no request, whatever follows: the peer's fault. The text says why."""


class Framing(Protocol):
    """Finds requests in a buffer. Equal framings cut alike."""

    @property
    def rest(self) -> bool:
        """Whether what is left when the peer closes its half is a request."""

    @property
    def gap(self) -> float:
        """The seconds of silence that make a request of what is there; `inf` if silence makes none."""

    @property
    def unfinished(self) -> bool:
        """Whether `cut` stopped because it had done enough at once: there may be more requests in the same bytes.

        If it found none, it goes on from there when it is called again with all of them as `searched`.
        """

    def begin(self) -> "Framing":
        """This framing, for one connection from here on: it may keep what it knows of the request half heard."""

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """The whole requests at the beginning, as rules see them, `MOST` at most, and where the next one begins.

        `searched` bytes were there already when a request was last looked for, in vain; 0 if none was. Raises
        Malformed if there is no request at the beginning, nor ever will be; not while there is one before that.
        """

    def taken(self, buffer: Buffer, requests: int) -> int:
        """Where the next one begins behind the first so many of those that `cut` found."""

    def least(self, buffer: Buffer) -> int:
        """At least how long the request will be that begins with what is in the buffer, where `cut` found none.

        Raises Malformed as `cut` does, so that a fault behind the last request is seen at once.
        """


class Plain:
    """What most framings have in common: they go by the bytes alone, and need remember nothing."""

    __slots__ = ()

    rest: ClassVar[bool] = False
    gap: ClassVar[float] = inf
    unfinished: bool = False

    def begin(self) -> Self:
        """See `Framing.begin`."""
        return self
