"""How a conversation ends: by an orderly close, by a reset, or aborted.

    OPEN ── FIN asked for ──> CLOSING ── it is in the kernel ──> LINGERING ── the peer's FIN, or enough of that ──> OVER
      └─── half_close ──> HALF_CLOSED: our FIN is sent, and the peer may go on as long as it likes

To close in order is to send FIN, then to read and discard until the peer's FIN: a socket closed with unread input sends
RST, which takes what the peer has not read yet (RFC 1122, 4.2.2.13).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import inf

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Reset

# Rule: the close reason is set once, by the first cause.

LINGER_SECONDS = 2.0  # how long an orderly close waits for the peer's FIN
LINGER_BYTES = 1 << 20  # bytes that are read and discarded until then

NOTHING: Sequence[Action] = ()
# Made once, indexed by reason: making one takes as long as answering a request.
FIN: Sequence[Action] = (HalfClose(),)
CLOSES: Sequence[Sequence[Action]] = tuple((Close(reason),) for reason in CloseReason)

OPEN, HALF_CLOSED, CLOSING, LINGERING, OVER = range(5)


class Ending(ABC):
    """The end of a session: FIN, lingering, reset, abort."""

    __slots__ = (
        "_draining",
        "_eof",
        "_linger_left",
        "_linger_until",
        "_phase",
        "_reason",
        "awaits_flush",
        "fin_noted",
        "wants_read",
    )

    def __init__(self) -> None:
        self._phase = OPEN
        self._eof = False  # whether the peer's FIN was read, and so everything before it
        self.fin_noted = False  # whether the peer has sent FIN; bytes before it may still be unread
        self._draining = False
        self._reason = CloseReason.SERVER_CLOSE
        self._linger_until = inf
        self._linger_left = LINGER_BYTES
        self.wants_read = True
        self.awaits_flush = False

    @property
    def over(self) -> bool:
        """Whether the last action has been given, or the connection lost."""
        return self._phase == OVER

    def lost(self, reason: CloseReason) -> CloseReason:
        """The connection is gone. Returns the reason to count: an earlier one if only the peer's FIN was awaited."""
        if self._phase == LINGERING:
            reason = self._reason
        self._over()
        return reason

    def _end_in_order(self, reason: CloseReason) -> Sequence[Action]:
        """Send FIN, then read and discard until the peer's."""
        self._reason = reason
        if self._eof:
            return self._finish()
        said = self._phase == HALF_CLOSED
        self._stop()
        self._phase = CLOSING
        self.wants_read = True
        self.awaits_flush = True
        return NOTHING if said else FIN

    def _half_close(self) -> Sequence[Action]:
        """Send FIN. What the peer sends from now on is not answered."""
        if self._phase != OPEN:
            return NOTHING
        self._phase = HALF_CLOSED
        return FIN

    def _linger(self, now: float) -> None:
        """Our FIN has reached the kernel: wait for the peer's."""
        self._phase = LINGERING
        self._linger_until = now + LINGER_SECONDS

    def _discard(self, size: int) -> Sequence[Action]:
        """Discard bytes that arrived after our FIN was requested."""
        self._linger_left -= size
        return self._finish() if self._linger_left <= 0 else NOTHING

    def _end_by_reset(self) -> Sequence[Action]:
        """Reset the connection once everything sent before is in the kernel."""
        self._over()
        return (Reset(CloseReason.SERVER_RESET),)

    def _give_up(self) -> Sequence[Action]:
        """Reset at once: the kernel could not pass on a reply in time, because the peer does not read it."""
        self._over()
        return (Abort(CloseReason.WRITE_TIMEOUT),)

    def _finish(self) -> Sequence[Action]:
        """Close the socket: both directions are done."""
        self._over()
        return CLOSES[self._reason]

    def _over(self) -> None:
        self._stop()
        self._phase = OVER
        self._linger_until = inf
        self.wants_read = False

    @abstractmethod
    def _stop(self) -> None:
        """Take no more steps and no more requests."""
