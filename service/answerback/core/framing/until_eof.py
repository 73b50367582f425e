"""Framing by the end of the stream: the peer sends one request and closes its half."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from answerback.compat import override
from answerback.core.framing.base import Buffer, Stateless


@dataclass(frozen=True, slots=True)
class UntilEof(Stateless):
    """Everything the peer sends until its FIN is one request. The session, which sees the FIN, cuts it."""

    eof_completes: ClassVar[bool] = True

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        return (), 0

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        return 0

    @override
    def min_length(self, buffer: Buffer) -> int:
        return len(buffer)
