"""Framing by a fixed size."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerback.core.framing.base import MOST, Buffer, Plain


@dataclass(frozen=True, slots=True)
class Fixed(Plain):
    """Each request has `size` bytes. Raises ValueError for a size below 1."""

    size: int

    def __post_init__(self) -> None:
        """Reject a size below 1."""
        if self.size < 1:
            raise ValueError(f"a request of fixed size has at least one byte, not {self.size}")

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - the length says it all
        """See `Framing.cut`."""
        size = self.size
        end = size * min(len(buffer) // size, MOST)
        return [bytes(buffer[at : at + size]) for at in range(0, end, size)], end

    def taken(self, buffer: Buffer, requests: int) -> int:  # noqa: ARG002 - as above
        """See `Framing.taken`."""
        return requests * self.size

    def least(self, buffer: Buffer) -> int:  # noqa: ARG002 - as above
        """See `Framing.least`."""
        return self.size
