"""Framing by the end of the stream: one request, and the peer closes its half behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from answerback.core.framing.base import Buffer, Plain


@dataclass(frozen=True, slots=True)
class UntilEof(Plain):
    """All that the peer ever sends is one request. The session, which hears of the end, cuts it."""

    rest: ClassVar[bool] = True

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - bytes end nothing
        """See `Framing.cut`."""
        return (), 0

    def taken(self, buffer: Buffer, requests: int) -> int:  # noqa: ARG002 - as above
        """See `Framing.taken`."""
        return 0

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`."""
        return len(buffer)
