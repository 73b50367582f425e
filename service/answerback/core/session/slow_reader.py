"""A session that reads slowly: bytes reach it at the rate of a fault in the direction FROM_PEER."""

from collections.abc import Sequence
from math import inf
from typing import Final

from answerback.core.actions import Action
from answerback.core.plan import ActivePlan, ListenerPlan
from answerback.core.session.closing import NOTHING
from answerback.core.session.layer import Layer
from answerback.core.session.session import Session

# Rule: it keeps at most what a driver reads at once, and reads no more until the session has got all of it: the rest
#       stays in the kernel, and the peer cannot send more.

PIECE_SECONDS: Final = 0.1  # bytes due within this time are passed on together


class SlowReader(Layer):
    """Stands between a driver and a session. A driver calls it as it would call the session."""

    __slots__ = ("_active", "_began", "_decided_by", "_due", "_fin", "_held", "_passed", "_rate")

    _session: Session

    def __init__(self, session: Session, active: ActivePlan) -> None:
        self._session = session
        self.born, self.conversation = session.born, session.conversation
        self._active = active
        self._decided_by: ListenerPlan | None = (
            None  # the plan whose faults decided `_rate`; None before the first bytes
        )
        self._rate = inf
        self._held = b""  # read from the peer, and not yet passed on
        self._began = 0.0  # when the slow line began to carry bytes without a break
        self._passed = 0  # bytes that it has carried since
        self._due = 0.0  # when it has carried the next piece
        self._fin = False  # whether the peer's FIN is held, behind the bytes

    @property
    def wants_read(self) -> bool:
        """See `Session.wants_read`."""
        return self._session.wants_read and not self._holds

    @property
    def in_progress(self) -> bool:
        """See `Session.in_progress`."""
        return self._holds or self._session.in_progress

    @property
    def deadline(self) -> float:
        """See `Session.deadline`."""
        return min(self._session.deadline, self._due) if self._passes_on else self._session.deadline

    @property
    def _holds(self) -> bool:
        """Whether something is held that the session still has to get."""
        session = self._session
        return self._fin or (self._held != b"" and not session.over and not session.awaits_fin)

    @property
    def _passes_on(self) -> bool:
        """Whether the session takes what is held."""
        return self._holds and not self._session.over and (self._fin or self._session.wants_read)

    def receive_data(self, data: bytes, now: float) -> Sequence[Action]:
        """The peer sent these bytes; the session gets them later if it reads slowly."""
        self._decide(now)
        if not self._held:
            if self._rate == inf or self._session.awaits_fin:
                return self._session.receive_data(data, now)
            if now > self._due:
                self._began, self._passed = now, 0
            self._held = data
            self._expect_next()
        else:
            self._held += data
        return NOTHING

    def take_input(self) -> bytes:
        """See `Session.take_input`: what is held was sent in the clear too."""
        held, self._held = self._held, b""
        return self._session.take_input() + held

    def receive_eof(self, now: float) -> Sequence[Action]:
        """The peer has closed its half; the session gets to know behind the bytes that are held."""
        if not self._held or self._session.awaits_fin:
            return self._session.receive_eof(now)
        self._fin = True
        return self._session.note_fin(now)

    def hold(self, data: bytes, now: float, *, fin: bool) -> None:
        """The session gets these bytes from now on, and then the FIN if there is one: it could not read them before."""
        self._decide(now)
        self._held, self._fin = data, fin
        self._began, self._passed, self._due = now, 0, now
        if data:
            self._expect_next()

    def signal_granted(self) -> bool:
        """See `Session.signal_granted`."""
        return self._session.signal_granted()

    def handle_timer(self, now: float) -> Sequence[Action]:
        """The deadline has passed: the next piece has arrived, or something is due in the session."""
        if not self._passes_on or now < self._due:
            return self._session.handle_timer(now)
        self._decide(now)
        if self._held and not self._session.awaits_fin:
            size = len(self._held) if self._rate == inf else self._piece
            piece, self._held = self._held[:size], self._held[size:]
            self._passed += len(piece)
            self._expect_next()
            return self._session.receive_data(piece, now)
        self._fin, self._held = False, b""
        return self._session.receive_eof(now)

    @property
    def _piece(self) -> int:
        return max(1, int(self._rate * PIECE_SECONDS))

    def _expect_next(self) -> None:
        """Set when the next piece has arrived."""
        if self._rate < inf:
            self._due = self._began + (self._passed + min(self._piece, len(self._held))) / self._rate

    def _decide(self, now: float) -> None:
        """Decide which faults apply: at the first bytes, and again when they have changed."""
        plan = self._active.plan
        before = self._decided_by
        if before is plan or self._session.awaits_fin:
            return
        self._decided_by = plan
        if before is not None and before.faults_from_peer == plan.faults_from_peer:
            return
        context = self._session.context
        rates = [fault.read_rate for fault in plan.faults_from_peer if fault.decide(context) is not None]
        self._rate = min(rates, default=inf)
        self._began, self._passed = now, 0
