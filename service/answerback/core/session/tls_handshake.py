"""The handshake that stands before a conversation with TLS: its time, its first bytes, and the faults that end it."""

from collections.abc import Sequence
from typing import Final

from answerback.core.context import RequestContext
from answerback.core.faults import Fault, Tls
from answerback.core.session.handshake_faults import HandshakeFaults

# Rule: a connection has it only while the handshake is not complete: one that is idle keeps nothing of it.

FIRST_BYTES: Final = b"\x16\x03"  # of a handshake record: its type, and the major version (RFC 8446, 5.1)


class NotTls(Exception):
    """The first bytes are no TLS."""


class Handshake:
    """What is known of a handshake until it is complete."""

    __slots__ = ("_faults", "_first", "began", "begun", "by_step", "until", "wake_at")

    begun: bool
    """Whether the first bytes have come, and were right."""
    began: float
    """From when on its time counts."""
    by_step: bool
    """Whether a step has begun it, and not the connection."""
    until: float
    """When it has to be complete."""
    wake_at: float
    """When a driver is to look for that next."""

    def __init__(self, began: float, until: float, wake_at: float, by_step: bool) -> None:
        self.began = began
        self.until = until
        self.wake_at = wake_at
        self.by_step = by_step
        self.begun = False
        self._first = 0  # how many of the first bytes were right
        self._faults: HandshakeFaults | None = None  # None before the first that may end it

    @property
    def heard(self) -> bool:
        """Whether the peer has sent anything."""
        return self._first > 0

    def check(self, data: bytes) -> None:
        """Check the first bytes, which may come one by one. Raises NotTls."""
        if not self._first and data.startswith(FIRST_BYTES):  # as nearly always, they come together
            self._first, self.begun = len(FIRST_BYTES), True
            return
        expected = FIRST_BYTES[self._first : self._first + len(data)]
        if not data.startswith(expected):
            raise NotTls("the client does not speak TLS")
        self._first += len(expected)
        self.begun = self._first == len(FIRST_BYTES)

    def broken(
        self, faults: Sequence[Fault], out: bytes, context: RequestContext, *, complete: bool
    ) -> tuple[bytes, Tls] | None:
        """Return the part of this output to send and the end that follows; None if no fault ends the handshake."""
        if self._faults is None:
            self._faults = HandshakeFaults(faults)
        return self._faults.decide(out, context, complete=complete)
