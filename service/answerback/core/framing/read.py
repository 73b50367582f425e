"""Framing by reads: bytes that were read together are a request."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Stateless


@dataclass(frozen=True, slots=True)
class Read(Stateless):
    """Each read is a request, of at most `max_bytes`."""

    max_bytes: int

    eof_completes: ClassVar[bool] = True

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        size, most = len(buffer), self.max_bytes
        if 0 < size <= most:
            return (bytes(buffer),), size
        end = min(size, most * MAX_BATCH)
        return [bytes(buffer[at : at + most]) for at in range(0, end, most)], end

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        return min(len(buffer), requests * self.max_bytes)

    @override
    def min_length(self, buffer: Buffer) -> int:
        return len(buffer)
