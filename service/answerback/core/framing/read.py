"""Framing by reads: bytes that were read together are a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from answerback.core.framing.base import MOST, Buffer, Plain


@dataclass(frozen=True, slots=True)
class Read(Plain):
    """Each read is a request, of at most `max_bytes`."""

    max_bytes: int

    rest: ClassVar[bool] = True

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - a search never fails
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
