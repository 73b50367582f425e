"""The simulation of a connection: a virtual clock, and a peer that sends given data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from answerback.core.plan import Accept, ActivePlan
from answerback.core.session import Session, SlowReader
from answerback.explain import events, plans
from answerback.explain.events import Enough, Transcript
from answerback.explain.fake_connection import fake_connection
from answerback.explain.observer import Recorder
from answerback.language.contents import Files
from answerback.v1 import config_pb2 as v1

# Rule: the same file and input give the same transcript; only `now` and unseeded random values differ.

READ_BYTES: Final = 64 << 10  # bytes read from the peer at once, as the drivers do


@dataclass(frozen=True, slots=True)
class Moment:
    """An action of the peer, at a time in seconds from the beginning: it sends bytes, closes its half, or waits."""

    at: float
    data: bytes = b""
    eof: bool = False


def explain(
    listener: v1.Listener, files: Files, moments: Sequence[Moment], *, peer: str, begun: datetime
) -> Transcript:
    """Simulate a listener's first connection, from `peer`, and record what happens and why.

    The configuration is one that `check` found nothing wrong with; `files` has what its `file` fields name. `moments`
    are in order; the connection begins at 0, which is `begun`. Raises config.InvalidConfig if it cannot be compiled.
    """
    return _Simulation(listener, files, peer, begun).play(moments)


class _Simulation:
    """The driver of one session: it performs actions at once, and its peer answers FIN with FIN."""

    def __init__(self, listener: v1.Listener, files: Files, peer: str, begun: datetime) -> None:
        self.now = 0.0
        plan = plans.compiled(listener, files)
        self._accept = plan.accept
        self._unread = bytearray()  # input that the session does not read yet
        self._fin = False  # whether the peer's FIN follows it
        self._recorder = Recorder(
            plan, plans.fault_names(listener), plans.explainers(listener, files), self, Transcript(plan.name)
        )
        connection = fake_connection(
            listener, peer, plan.random_seed, lambda: begun + timedelta(seconds=self.now), lambda: self.now
        )
        active = ActivePlan(plan)
        session = Session(active, self._recorder, self.now, connection, self._recorder)
        self._session = SlowReader(session, active) if plan.faults_from_peer else session
        self._recorder.session = session

    def play(self, moments: Sequence[Moment]) -> Transcript:
        """Run to the end: all input was processed, and nothing is in progress."""
        if self._accept is not Accept.NORMAL:
            self._serve_nothing(moments)
            return self._recorder.transcript
        try:
            self._session.connection_made(self.now)
            self._settle()
            for moment in moments:
                self._pass(moment.at)
                self._happen(moment)
            self._finish()
        except Enough:
            pass
        return self._recorder.transcript

    def _serve_nothing(self, moments: Sequence[Moment]) -> None:
        """The listener does not serve this connection: there is no conversation."""
        self._recorder.add(events.AcceptMode(self.now, self._accept.name))
        for moment in moments:
            if moment.data:
                self._recorder.add(events.Discarded(moment.at, moment.data))

    def _pass(self, until: float) -> None:
        session = self._session
        while session.deadline <= until and not session.over:
            self._handle_timer()
        self.now = max(self.now, until)

    def _handle_timer(self) -> None:
        self.now = max(self.now, self._session.deadline)
        self._session.handle_timer(self.now)
        self._settle()
        self._read()

    def _happen(self, moment: Moment) -> None:
        if moment.data and (self._session.over or self._session.half_closed):
            self._recorder.add(events.Discarded(self.now, moment.data))
        elif moment.data:
            self._recorder.add(events.Received(self.now, moment.data))
            self._unread += moment.data
            self._read()
        if moment.eof and not self._session.over:
            self._recorder.add(events.ReceivedEof(self.now))
            self._fin = True
            self._read()

    def _read(self) -> None:
        """Pass on input, as a driver does, while the session reads."""
        while self._unread and self._session.wants_read and not self._session.over:
            data = bytes(self._unread[:READ_BYTES])
            del self._unread[:READ_BYTES]
            self._session.receive_data(data, self.now)
            self._settle()
        if self._unread and self._session.over:
            self._recorder.add(events.Discarded(self.now, bytes(self._unread)))
            self._unread.clear()
        if self._fin and not self._session.over:
            self._receive_fin()

    def _receive_fin(self) -> None:
        """Pass on the peer's FIN; if input before it is not read yet, only note it."""
        session = self._session
        if not self._unread:
            self._fin = False
            session.receive_eof(self.now)
            self._settle()
        elif not session.fin_noted:
            session.note_fin(self.now)
            self._settle()
            self._read()

    def _finish(self) -> None:
        """Let time pass while something is in progress; then report what is left."""
        session = self._session
        while session.in_progress and not session.over:
            self._handle_timer()
        if not session.over:
            self._recorder.input_left()
            self._recorder.add(events.Open(self.now, session.state))

    def _settle(self) -> None:
        """Let the session go on, like a kernel with unlimited buffers; answer FIN with FIN, as most peers do.

        Its actions need no performing: the recorder has recorded each.
        """
        session = self._session
        while True:
            self._recorder.input_consumed()
            if session.awaits_flush:
                session.writing_resumed(self.now)
            elif session.wants_turn:
                session.take_turn(self.now)
            elif session.closing:
                session.receive_eof(self.now)
            else:
                return
