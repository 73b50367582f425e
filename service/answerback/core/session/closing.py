"""How a conversation ends: by an orderly close, by a reset, or aborted.

    open ── FIN asked for ──> CLOSING ── it is in the kernel ──> LINGERING ── the peer's FIN, or enough of that ──> OVER
      └─── half_close ──> HALF_CLOSED: our FIN is sent, and the peer may go on as long as it likes

To close in order is to send FIN, then to read and discard until the peer's FIN: a socket closed with unread input sends
RST, which takes what the peer has not read yet (RFC 1122, 4.2.2.13).
"""

from collections.abc import Sequence
from math import inf
from typing import Final

from answerback.core.actions import Action, Close, CloseReason, HalfClose

# Rule: the close reason is set once, by the first cause.

LINGER_SECONDS: Final = 2.0  # how long an orderly close waits for the peer's FIN
LINGER_BYTES: Final = 1 << 20  # bytes that are read and discarded until then

NOTHING: Final[Sequence[Action]] = ()
# Made once, indexed by reason: making one takes as long as answering a request.
FIN: Final[Sequence[Action]] = (HalfClose(),)
CLOSES: Final[Sequence[Sequence[Action]]] = tuple((Close(reason),) for reason in CloseReason)

HALF_CLOSED, CLOSING, LINGERING, OVER = range(4)


class Closing:
    """The end of a conversation, from the first FIN or RST on. An open connection has none."""

    __slots__ = ("_bytes_left", "deadline", "phase", "reason")

    deadline: float
    """When to stop waiting for the peer's FIN."""

    def __init__(self, reason: CloseReason, phase: int = CLOSING) -> None:
        self.phase = phase
        self.reason = reason
        self.deadline = inf
        self._bytes_left = LINGER_BYTES

    def linger(self, now: float) -> None:
        """Our FIN has reached the kernel: wait for the peer's."""
        self.phase = LINGERING
        self.deadline = now + LINGER_SECONDS

    def discards(self, size: int) -> bool:
        """Discard bytes that arrived after our FIN was requested; False if those are enough."""
        self._bytes_left -= size
        return self._bytes_left > 0

    def finish(self) -> Sequence[Action]:
        """Close the socket: both directions are done."""
        self.phase = OVER
        self.deadline = inf
        return CLOSES[self.reason]
