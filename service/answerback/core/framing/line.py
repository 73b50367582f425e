"""Framing by lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Stateless

CR: Final = 0x0D


@dataclass(frozen=True, slots=True)
class Line(Stateless):
    """LF ends a request, and so does CRLF; neither is part of it unless `keep_ending`."""

    keep_ending: bool = False

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        first = buffer.find(b"\n", searched)
        if first < 0:
            return (), 0
        if first + 1 == len(buffer):  # the common case: exactly one request, with nothing behind it
            size = first + 1 if self.keep_ending else first - (buffer[first - 1] == CR and first > 0)
            return (bytes(buffer[:size]),), first + 1
        lines = buffer.split(b"\n", MAX_BATCH)
        end = len(buffer) - len(lines.pop())
        if self.keep_ending:
            return [bytes(line + b"\n") for line in lines], end
        return [bytes(line[:-1] if line[-1:] == b"\r" else line) for line in lines], end

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        at = 0
        for _ in range(requests):
            at = buffer.index(b"\n", at) + 1
        return at

    @override
    def min_length(self, buffer: Buffer) -> int:
        """A CR at the end may be half of an ending."""
        return len(buffer) - (not self.keep_ending and buffer.endswith(b"\r"))
