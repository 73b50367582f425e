"""How bytes become requests."""

from typing import Protocol

# Rule: cutting never matters: but for `read`, any pieces of a stream give the same requests.
# Rule: a framing is stateless; the session keeps the bytes and how far they were searched.

Buffer = bytes | bytearray

CR = 0x0D


class Framing(Protocol):
    """Finds requests in a buffer."""

    def cut(self, buffer: Buffer, at: int, searched: int) -> tuple[bytes, int] | None:
        """The request that begins at `at`, where there is at least one byte, as rules see it, and where the next one begins; None if it is not whole.

        `searched` (at least `at`): what is before it was there already when this request was last looked for, in vain.
        """

    def least(self, buffer: Buffer) -> int:
        """At least how long the request will be that begins with what is in the buffer, which is not whole."""


class Read:
    """Each read is a request: what there is, `max_bytes` at most."""

    __slots__ = ("max_bytes",)

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Read) and other.max_bytes == self.max_bytes

    def __hash__(self) -> int:
        return hash((Read, self.max_bytes))

    def cut(self, buffer: Buffer, at: int, searched: int) -> tuple[bytes, int] | None:
        """See `Framing.cut`."""
        end = min(len(buffer), at + self.max_bytes)
        request = buffer[at:end]
        return (request if type(request) is bytes else bytes(request)), end

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`."""
        return len(buffer)


class Line:
    """LF ends a request, and so does CRLF; neither is part of it unless `keep_ending`."""

    __slots__ = ("keep_ending",)

    def __init__(self, keep_ending: bool) -> None:
        self.keep_ending = keep_ending

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and other.keep_ending == self.keep_ending

    def __hash__(self) -> int:
        return hash((Line, self.keep_ending))

    def cut(self, buffer: Buffer, at: int, searched: int) -> tuple[bytes, int] | None:
        """See `Framing.cut`."""
        end = buffer.find(b"\n", searched)
        if end < 0:
            return None
        if self.keep_ending:
            request = buffer[at : end + 1]
        elif buffer[end - 1] == CR and end > at:
            request = buffer[at : end - 1]
        else:
            request = buffer[at:end]
        return (request if type(request) is bytes else bytes(request)), end + 1

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`: a CR at the end may be half of an ending."""
        return len(buffer) - (not self.keep_ending and buffer.endswith(b"\r"))
