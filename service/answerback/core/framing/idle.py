"""Framing by silence, for serial lines behind a terminal server, scanners and scales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from answerback.core.framing.base import Buffer


@dataclass(frozen=True, slots=True)
class Idle:
    """A request ends when no byte arrives for `gap` seconds. The session, which knows the time, cuts it."""

    gap: float

    rest: ClassVar[bool] = True
    unfinished: ClassVar[bool] = False

    def begin(self) -> Self:
        """See `Framing.begin`."""
        return self

    def cut(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - bytes end nothing
        """See `Framing.cut`."""
        return (), 0

    def taken(self, buffer: Buffer, requests: int) -> int:  # noqa: ARG002 - as above
        """See `Framing.taken`."""
        return 0

    def least(self, buffer: Buffer) -> int:
        """See `Framing.least`."""
        return len(buffer)
