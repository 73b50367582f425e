"""How a conversation ends: by an orderly close, by a reset, or aborted.

    OPEN ── FIN asked for ──> CLOSING ── it is in the kernel ──> LINGERING ── the peer's FIN, or enough of that ──> OVER
      └─── half_close ──> HALF_CLOSED: our FIN is sent, and the peer may go on as long as it likes

To close in order is to send FIN, then to read and discard until the peer's FIN: a socket closed with unread input sends
RST, which takes what the peer has not read yet (RFC 1122, 4.2.2.13).
"""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Final

from answerback.core.actions import Abort, Action, Close, CloseReason, HalfClose, Reset

if TYPE_CHECKING:
    from answerback.core.session.session import Session

# Rule: the close reason is set once, by the first cause.

LINGER_SECONDS: Final = 2.0  # how long an orderly close waits for the peer's FIN
LINGER_BYTES: Final = 1 << 20  # bytes that are read and discarded until then

NOTHING: Final[Sequence[Action]] = ()
# Made once, indexed by reason: making one takes as long as answering a request.
FIN: Final[Sequence[Action]] = (HalfClose(),)
CLOSES: Final[Sequence[Sequence[Action]]] = tuple((Close(reason),) for reason in CloseReason)

# Python 3.11 looks up a member of an enum as slowly as it calls a function.
SERVER_CLOSE: Final = CloseReason.SERVER_CLOSE

OPEN, HALF_CLOSED, CLOSING, LINGERING, OVER = range(5)


class Closing:
    """The end of a conversation. A session makes it at the first sign of the end: the peer's FIN, a drain, or a close.

    So while the phase is OPEN, the peer has sent FIN, or a drain has begun, or begins with the next bytes.
    """

    __slots__ = ("_bytes_left", "cut", "deadline", "draining", "drains_next", "eof", "phase", "reason", "rules_applied")

    cut: bool
    """Whether a fault has cut a reply short: TLS does not say then that the stream has ended."""
    deadline: float
    """When to stop waiting for the peer's FIN."""
    draining: bool
    """Whether a drain has begun."""
    drains_next: bool
    """Whether a drain begins with the next bytes that the peer sends."""
    eof: bool
    """Whether the peer's FIN was read, and so everything before it."""
    reason: CloseReason
    """Why the connection closes, from the phase HALF_CLOSED on."""
    rules_applied: bool
    """Whether the rules on EOF or DRAIN were applied."""

    def __init__(self) -> None:
        self.phase = OPEN
        self.reason = SERVER_CLOSE
        self.cut = self.eof = self.draining = self.drains_next = self.rules_applied = False
        self.deadline = inf
        self._bytes_left = LINGER_BYTES

    @property
    def leaves(self) -> bool:
        """Whether the connection closes once nothing is owed."""
        return self.eof or self.draining

    def close(self, session: "Session", reason: CloseReason) -> Sequence[Action]:
        """Send FIN, then read and discard until the peer's."""
        observer = session.observer
        if observer is not None:
            observer.closing(reason, session.conversation.buffer)
        actions = FIN if self.phase == OPEN else NOTHING  # half-closed: it was sent
        self.reason, self.phase = reason, CLOSING
        session.release()
        if self.eof:
            session.wants_read = False
            if observer is not None:
                observer.closed(reason, by_reset=False)
            return self._over()
        session.wants_read = session.awaits_flush = True
        return actions

    def half_close(self, session: "Session") -> Sequence[Action]:
        """Send FIN. What the peer sends from now on is not answered."""
        observer = session.observer
        if observer is not None:
            observer.closing(CloseReason.SERVER_CLOSE, session.conversation.buffer)
        if self.phase != OPEN:
            return NOTHING
        self.phase = HALF_CLOSED
        if observer is not None:
            observer.half_closed()
        return FIN

    def linger(self, now: float) -> None:
        """Our FIN has reached the kernel: wait for the peer's."""
        self.phase = LINGERING
        self.deadline = now + LINGER_SECONDS

    def discard(self, session: "Session", size: int) -> Sequence[Action]:
        """Discard bytes that arrived after our FIN was requested; close the socket if those are enough."""
        if self.phase == HALF_CLOSED:
            return NOTHING
        self._bytes_left -= size
        return NOTHING if self._bytes_left > 0 else self.finish(session)

    def finish(self, session: "Session") -> Sequence[Action]:
        """Close the socket: both directions are done. Our FIN was asked for before."""
        if session.conversation.script is not None:
            session.release()
        session.wants_read = False
        if session.observer is not None:
            session.observer.closed(self.reason, by_reset=False)
        return self._over()

    def reset(self, session: "Session") -> Sequence[Action]:
        """Reset the connection once everything sent before is in the kernel."""
        reason = CloseReason.SERVER_RESET
        if session.observer is not None:
            session.observer.closing(reason, session.conversation.buffer)
            session.observer.closed(reason, by_reset=True)
        self._end(session, reason)
        self._over()
        return (Reset(reason),)

    def abort(self, session: "Session") -> Sequence[Action]:
        """Reset at once: the kernel could not pass on a reply in time, because the peer does not read it."""
        reason = CloseReason.WRITE_TIMEOUT
        if session.observer is not None:
            session.observer.closed(reason, by_reset=True)
        self._end(session, reason)
        self._over()
        return (Abort(reason),)

    def lost(self, session: "Session", reason: CloseReason) -> CloseReason:
        """The connection is gone. Returns the reason to count: an earlier one if only the peer's FIN was awaited.

        A peer that resets the connection while it has to wait counts as having given up.
        """
        script = session.conversation.script
        if reason == CloseReason.PEER_RESET and script is not None and script.hang is not None:
            reason = CloseReason.PEER_GAVE_UP
        self._end(session, reason)
        if self.phase == LINGERING:
            reason = self.reason
        self._over()
        return reason

    def _end(self, session: "Session", reason: CloseReason) -> None:
        """Take no more steps and no more requests, and read nothing. `reason`: if there was none before."""
        if self.phase <= HALF_CLOSED or session.conversation.script is not None:  # otherwise `close` has done so
            session.release()
        session.wants_read = False
        if self.phase == OPEN:
            self.reason, self.phase = reason, CLOSING

    def _over(self) -> Sequence[Action]:
        self.phase = OVER
        self.deadline = inf
        return CLOSES[self.reason]
