"""How bytes become requests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

# Rule: cutting never matters: but for `read`, any pieces of a stream give the same requests.
# Rule: a framing is stateless; the session keeps the bytes, and how far they were searched.

Buffer = bytes | bytearray

CR: Final = 0x0D
MOST: Final = 64  # requests cut at once: what is cut in vain, because the first of them waits, stays little


class Framing(Protocol):
    """Finds requests in a buffer. Equal framings cut alike."""

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """The whole requests at the beginning, as rules see them, `MOST` at most, and where the next one begins.

        `searched` bytes were there already when a request was last looked for, in vain; 0 if none was.
        """

    def taken(self, buffer: Buffer, requests: int) -> int:
        """Where the next one begins behind the first so many of those that `cut` found."""

    def least(self, buffer: Buffer) -> int:
        """At least how long the request will be that begins with what is in the buffer, which is not whole."""


@dataclass(frozen=True, slots=True)
class Read:
    """Each read is a request: what there is, `max_bytes` at most."""

    max_bytes: int

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - none is ever in vain
        """See `Framing.cut`."""
        size, most = len(buffer), self.max_bytes
        if 0 < size <= most:
            return (bytes(buffer),), size
        end = min(size, most * MOST)
        return [bytes(buffer[at : at + most]) for at in range(0, end, most)], end

    def taken(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.taken`."""
        return min(len(buffer), requests * self.max_bytes)

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`."""
        return len(buffer)


@dataclass(frozen=True, slots=True)
class Line:
    """LF ends a request, and so does CRLF; neither is part of it unless `keep_ending`."""

    keep_ending: bool

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        """See `Framing.cut`."""
        first = buffer.find(b"\n", searched)
        if first < 0:
            return (), 0
        if first + 1 == len(buffer):  # the request that most clients wait with: one, and nothing behind it
            size = first + 1 if self.keep_ending else first - (buffer[first - 1] == CR and first > 0)
            return (bytes(buffer[:size]),), first + 1
        lines = buffer.split(b"\n", MOST)
        end = len(buffer) - len(lines.pop())
        if self.keep_ending:
            return [bytes(line + b"\n") for line in lines], end
        return [bytes(line[:-1] if line[-1:] == b"\r" else line) for line in lines], end

    def taken(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.taken`."""
        at = 0
        for _ in range(requests):
            at = buffer.index(b"\n", at) + 1
        return at

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`: a CR at the end may be half of an ending."""
        return len(buffer) - (not self.keep_ending and buffer.endswith(b"\r"))
