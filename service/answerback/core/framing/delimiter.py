"""Framing by a custom delimiter."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Stateless


@dataclass(frozen=True, slots=True)
class Delimiter(Stateless):
    r"""The bytes `end` end a request (SMTP's `\r\n.\r\n`), and are not part of it unless `keep`.

    Raises ValueError if `end` is empty.
    """

    end: bytes
    keep: bool = False

    def __post_init__(self) -> None:
        """Reject an empty delimiter."""
        if not self.end:
            raise ValueError("a delimiter has at least one byte")

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        ending = self.end
        first = buffer.find(ending, max(0, searched - len(ending) + 1))
        if first < 0:
            return (), 0
        behind = first + len(ending)
        if behind == len(buffer):  # as with lines: one, and nothing behind it
            return (bytes(buffer[: behind if self.keep else first]),), behind
        frames = buffer.split(ending, MAX_BATCH)
        end = len(buffer) - len(frames.pop())
        if self.keep:
            return [bytes(frame + ending) for frame in frames], end
        return [bytes(frame) for frame in frames], end

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        at = 0
        for _ in range(requests):
            at = buffer.index(self.end, at) + len(self.end)
        return at

    @override
    def min_length(self, buffer: Buffer) -> int:
        """The last bytes may be the first of an ending."""
        return len(buffer) - (0 if self.keep else self._begun(buffer))

    def _begun(self, buffer: Buffer) -> int:
        """Return how many bytes at the end of the buffer may be the start of a delimiter."""
        ending = self.end
        at = buffer.find(ending[:1], max(0, len(buffer) - len(ending) + 1))
        while at >= 0:
            if ending.startswith(buffer[at:]):
                return len(buffer) - at
            at = buffer.find(ending[:1], at + 1)
        return 0
