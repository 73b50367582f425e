"""Framing by a fixed size."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Stateless


@dataclass(frozen=True, slots=True)
class Fixed(Stateless):
    """Each request has `size` bytes. Raises ValueError for a size below 1."""

    size: int

    def __post_init__(self) -> None:
        """Reject a size below 1."""
        if self.size < 1:
            raise ValueError(f"a request of fixed size has at least one byte, not {self.size}")

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        size = self.size
        end = size * min(len(buffer) // size, MAX_BATCH)
        return [bytes(buffer[at : at + size]) for at in range(0, end, size)], end

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        return requests * self.size

    @override
    def min_length(self, buffer: Buffer) -> int:
        return self.size
