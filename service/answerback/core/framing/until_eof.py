"""Framing by the end of the stream: the peer sends one request and closes its half."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from answerback.core.framing.base import Buffer, Stateless


@dataclass(frozen=True, slots=True)
class UntilEof(Stateless):
    """Everything the peer sends until its FIN is one request. The session, which sees the FIN, cuts it."""

    eof_completes: ClassVar[bool] = True

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - bytes end nothing
        """See `Framing.split`."""
        return (), 0

    def consumed(self, buffer: Buffer, requests: int) -> int:  # noqa: ARG002 - as above
        """See `Framing.consumed`."""
        return 0

    def min_length(self, buffer: Buffer) -> int:
        """See `Framing.min_length`."""
        return len(buffer)
