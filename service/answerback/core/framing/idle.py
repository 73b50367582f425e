"""Framing by silence, for serial lines behind a terminal server, scanners and scales."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from answerback.core.framing.base import Buffer


@dataclass(frozen=True, slots=True)
class Idle:
    """A request ends when no byte arrives for `idle_gap` seconds. The session, which knows the time, cuts it."""

    idle_gap: float

    eof_completes: ClassVar[bool] = True
    unfinished: ClassVar[bool] = False
    has_history: ClassVar[bool] = False
    interim: ClassVar[bytes] = b""
    is_extra: ClassVar[bool] = False
    switches: ClassVar[bool] = False

    def interim_sent(self) -> None:
        """See `Framing.interim_sent`: there is none."""

    def answers(self, request: bytes) -> None:
        """See `Framing.answers`: replies do not depend on it."""

    def may_switch(self, request: bytes) -> bool:  # noqa: ARG002 - none may
        """See `Framing.may_switch`: what follows a reply is the next one."""
        return False

    def new_framer(self) -> Self:
        """See `Framing.new_framer`."""
        return self

    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:  # noqa: ARG002 - bytes end nothing
        """See `Framing.split`."""
        return (), 0

    def consumed(self, buffer: Buffer, requests: int) -> int:  # noqa: ARG002 - as above
        """See `Framing.consumed`."""
        return 0

    def min_length(self, buffer: Buffer) -> int:
        """See `Framing.min_length`."""
        return len(buffer)
