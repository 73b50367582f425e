"""The interface of a framing."""

from abc import abstractmethod
from collections.abc import Sequence
from math import inf
from typing import ClassVar, Final, Protocol, Self

Buffer = bytes | bytearray

MAX_BATCH: Final = 64  # max. requests per call: if the first of them has to wait, little work is wasted


class Malformed(Exception):
    """The buffer does not begin with a request, whatever follows: the peer's fault. The text says why."""


class Framing(Protocol):
    """Finds requests in a buffer. Framings that compare equal frame alike."""

    @property
    def eof_completes(self) -> bool:
        """Whether bytes left over when the peer closes its half are a request."""

    @property
    def idle_gap(self) -> float:
        """Seconds without data after which the buffered bytes are a request; `inf` if never."""

    @property
    def unfinished(self) -> bool:
        """Whether `split` stopped because it reached its limit: the same bytes may contain more requests.

        If it found none, it resumes when it is called again with all of them as `searched`.
        """

    @property
    def has_history(self) -> bool:
        """Whether the next request depends on those before it, and not on its own bytes alone."""

    @property
    def interim(self) -> bytes:
        """What to send before more of the incomplete request is read; empty if nothing."""

    def interim_sent(self) -> None:
        """The interim reply was sent: it is not due again for this request."""

    @property
    def is_extra(self) -> bool:
        """Whether the last of the replies that `split` found answers no request: an interim one."""

    @property
    def switches(self) -> bool:
        """Whether what follows the last of the replies that `split` found is a stream, in both directions."""

    def answers(self, request: bytes) -> None:
        """Of replies: the next one that `split` finds answers this request; empty if that is unknown."""

    def may_switch(self, request: bytes) -> bool:
        """Of replies: whether `switches` may hold behind the reply to this request."""

    def new_framer(self) -> "Framing":
        """Return a framing for one connection; it may keep state of an incomplete request."""

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """Return the complete requests at the start of the buffer, at most MAX_BATCH, and where the next one begins.

        `searched` bytes were already there at the last search, which found no request; 0 if there was none. Raises
        Malformed if no request can begin at the start of the buffer; but not while a complete request precedes the
        fault.
        """

    def consumed(self, buffer: Buffer, requests: int) -> int:
        """Return where the next request begins after the first `requests` of those that `split` found."""

    def min_length(self, buffer: Buffer) -> int:
        """Return a lower bound for the length of the request that the buffer begins with, if `split` found none.

        Raises Malformed as `split` does, so that a fault behind the last request is seen at once.
        """


class Stateless:
    """Base class of stateless framings, which depend on the bytes alone."""

    __slots__ = ()

    eof_completes: ClassVar[bool] = False
    idle_gap: ClassVar[float] = inf
    unfinished: bool = False
    has_history: ClassVar[bool] = False
    interim: bytes = b""
    is_extra: ClassVar[bool] = False
    switches: ClassVar[bool] = False

    def interim_sent(self) -> None:
        """Do nothing: there is none."""

    def answers(self, request: bytes) -> None:
        """Do nothing: replies do not depend on it."""

    def may_switch(self, request: bytes) -> bool:  # noqa: ARG002 - none may
        """Return False: what follows a reply is the next one."""
        return False

    def new_framer(self) -> Self:
        """Return itself: there is no state."""
        return self

    @abstractmethod
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """See `Framing.split`."""

    @abstractmethod
    def consumed(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.consumed`."""

    @abstractmethod
    def min_length(self, buffer: Buffer) -> int:
        """See `Framing.min_length`."""
