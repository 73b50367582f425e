"""The bytes received on a connection, and the framing that splits them into requests."""

from collections.abc import Sequence
from typing import Final

from answerback.core.actions import CloseReason
from answerback.core.framing import Buffer, Framing, Malformed

# Rule: one request at a time. Later bytes wait in the buffer and are framed when their turn comes.

READ_AHEAD: Final = 64 << 10  # max. bytes buffered while a reply is in progress; more wait in the kernel
# Max. consecutive requests of size 0 (`framing` with a size of 0): a rule that asks for one more each time would never
# end.
MAX_EMPTY_REQUESTS: Final = 64
EMPTY_REQUEST: Final = ((b"",), 0)


class RequestReader:
    """Received bytes that are not processed yet, and their framing."""

    __slots__ = ("_empty_requests", "before", "buffer", "framer", "framing", "searched")

    before: tuple[Framing | None, Framing | None] | None
    """The framing, and its framer, to return to if the current one is for one request."""
    framing: Framing | None
    """As it stands in the plan; None is one request of no bytes."""
    framer: Framing | None
    """What `framing` made for this connection."""
    searched: int
    """How many bytes of the buffer the framing has searched without finding a request."""

    def __init__(self, framing: Framing) -> None:
        self.buffer: Buffer = b""
        self.searched = 0
        self.framing = framing
        self.framer = framing.new_framer()
        self.before = None
        self._empty_requests = 0

    def append(self, data: bytes) -> None:
        """Add bytes to those that are there."""
        buffer = self.buffer
        if type(buffer) is bytearray:
            buffer += data
        else:
            self.buffer = bytearray(buffer) + data

    def consume(self, size: int) -> None:
        """Remove bytes that were processed."""
        buffer = self.buffer
        if size == len(buffer):
            self.buffer = b""
        elif type(buffer) is bytearray:
            del buffer[:size]
        else:
            self.buffer = bytes(buffer[size:])

    def set_framing(self, framing: Framing | None, *, once: bool) -> None:
        """Use another framing: permanently, or for one request. If another was for one, this takes its place."""
        if not once:
            self.before = None
        elif self.before is None:
            self.before = (self.framing, self.framer)
        self.framing = framing
        self.framer = None if framing is None else framing.new_framer()
        self.searched = 0  # bytes that wait, if it was not a request that changed the framing, were searched by another

    def empty_request(self) -> tuple[Sequence[bytes], int]:
        """Return what `Framing.split` would under a framing of no bytes."""
        if self._empty_requests >= MAX_EMPTY_REQUESTS:
            raise Malformed(f"{MAX_EMPTY_REQUESTS} requests in a row without a byte")
        return EMPTY_REQUEST

    def first_alone(self, requests: Sequence[bytes], end: int) -> tuple[Sequence[bytes], int]:
        """Return to the framing before, keeping only the first of the requests that `split` found."""
        assert self.before is not None
        framer = self.framer
        self.framing, self.framer = self.before
        self.before = None
        if framer is not None and len(requests) > 1:
            end = framer.consumed(self.buffer, 1)
        return requests[:1], end

    def count_empty(self, consumed: int) -> None:
        """Requests of this size were processed, and more may follow."""
        self._empty_requests = 0 if consumed else self._empty_requests + 1

    def why_hopeless(self, framer: Framing, max_request_bytes: int) -> CloseReason | None:
        """Return why the buffer will never become a request; None if it may."""
        try:
            least = framer.min_length(self.buffer)
        except Malformed:
            return CloseReason.MALFORMED_REQUEST
        return CloseReason.REQUEST_TOO_LARGE if least > max_request_bytes else None
