"""Framing by the end of the stream: the peer sends one request and closes its half."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from answerback.core.framing.base import Buffer, Plain


@dataclass(frozen=True, slots=True)
class UntilEof(Plain):
    """Everything the peer sends until its FIN is one request. The session, which sees the FIN, cuts it."""

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
