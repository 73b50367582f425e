"""Framing by a length field within the request: Modbus, PostgreSQL, DNS over TCP, most binary protocols."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerback.core.framing.base import MAX_BATCH, Buffer, Malformed, Stateless


@dataclass(frozen=True, slots=True)
class LengthPrefix(Stateless):
    """A `width`-byte number N at `offset`: the frame has `offset + width + N + adjust` bytes.

    `strip` removes the first `offset + width` bytes from the request. A frame shorter than those is malformed. Raises
    ValueError for an offset below 0 and a width other than 1 to 8 bytes.
    """

    offset: int = 0
    width: int = 4
    little_endian: bool = False
    adjust: int = 0
    strip: bool = False

    def __post_init__(self) -> None:
        """Validate offset and width."""
        if self.offset < 0 or not 1 <= self.width <= 8:
            raise ValueError(f"a length has 1 to 8 bytes at an offset of 0 or more, not {self.width} at {self.offset}")

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - the length says it all
        """See `Framing.split`."""
        requests: list[bytes] = []
        at, off = 0, self.offset + self.width if self.strip else 0
        while len(requests) < MAX_BATCH:
            try:
                size = self._size(buffer, at)
            except Malformed:
                if requests:
                    break
                raise
            if not size or at + size > len(buffer):
                break
            requests.append(bytes(buffer[at + off : at + size]))
            at += size
        return requests, at

    def consumed(self, buffer: Buffer, requests: int) -> int:
        """See `Framing.consumed`."""
        at = 0
        for _ in range(requests):
            at += self._size(buffer, at)
        return at

    def min_length(self, buffer: Buffer) -> int:
        """See `Framing.min_length`."""
        head = self.offset + self.width
        return (self._size(buffer, 0) or head) - (head if self.strip else 0)

    def _size(self, buffer: Buffer, at: int) -> int:
        """Return the size of the frame that begins there; 0 if its length field is incomplete."""
        start = at + self.offset
        end = start + self.width
        if end > len(buffer):
            return 0
        number = int.from_bytes(buffer[start:end], "little" if self.little_endian else "big")
        size = end - at + number + self.adjust
        if size < end - at:
            raise Malformed(f"the length {number} makes a frame of {size} bytes, shorter than its prefix")
        return size
