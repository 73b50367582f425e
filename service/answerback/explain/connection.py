"""A simulated connection: drives one session, and is its peer, which sends given data."""

from math import inf

from answerback.core.plan import Accept, ActivePlan
from answerback.core.session import Session, SlowReader
from answerback.core.session.forwarding import Forwarding
from answerback.core.session.replies import has_work, receive_reply, take_replies
from answerback.explain import events
from answerback.explain.fake_connection import FakeConnection
from answerback.explain.observer import Clock, Recorder

# Rule: actions are performed at once: the peer reads everything, and answers FIN with FIN.


class SimulatedConnection:
    """One connection of a World."""

    def __init__(
        self,
        number: int,
        clock: Clock,
        active: ActivePlan,
        info: FakeConnection,
        recorder: Recorder,
        read_bytes: int,
        forwarding: Forwarding | None = None,
    ) -> None:
        """`number`: from 1. `read_bytes`: how many bytes a driver would read at once. `forwarding`: if it forwards."""
        self.number = number
        self.left = False
        """Whether the peer has left: nothing happens any more."""
        self._clock = clock
        self._accept = active.plan.accept
        self._read_bytes = read_bytes
        self._unread = bytearray()  # input that the session does not read yet
        self._fin = False  # whether the peer's FIN follows it
        self._recorder = recorder
        session = Session(active, recorder, clock.now, info, recorder)
        session.forwarding = forwarding
        self._replies = None if forwarding is None else forwarding.replies
        self._session = SlowReader(session, active) if active.plan.faults_from_peer else session
        recorder.session = session
        info.granted = session.signal_granted

    @property
    def received(self) -> bytearray:
        """What the peer has received and not taken yet."""
        return self._recorder.output

    @property
    def ended(self) -> bool:
        """Whether the peer receives nothing more."""
        return self._session.over or self._session.half_closed or self._accept in {Accept.CLOSE, Accept.RESET}

    @property
    def was_reset(self) -> bool:
        """Whether it ended with RST."""
        return self._recorder.was_reset or self._accept is Accept.RESET

    @property
    def receiving(self) -> bool:
        """Whether a script waits for a frame."""
        return self._session.conversation.receiving

    @property
    def deadline(self) -> float:
        """When something is due; infinite if nothing is."""
        if self._session.over or self.left or self._accept is not Accept.NORMAL:
            return inf
        return self._session.deadline if self._replies is None else min(self._session.deadline, self._replies.quiet_at)

    @property
    def in_progress(self) -> bool:
        """Whether a script, or something that was received, is still in progress."""
        return self.deadline < inf and self._session.in_progress

    def begin(self) -> None:
        """The connection is open, or what `accept` says has happened."""
        if self._accept is not Accept.NORMAL:
            self._recorder.add(events.AcceptMode(self._clock.now, self._accept.name))
            return
        self._session.connection_made(self._clock.now)
        self._settle()

    def send(self, data: bytes) -> None:
        """The peer sends bytes."""
        if self._accept is not Accept.NORMAL or self._session.over or self._session.half_closed:
            self._recorder.add(events.Discarded(self._clock.now, data))
            return
        self._recorder.add(events.Received(self._clock.now, data))
        self._unread += data
        self._read()

    def reply(self, data: bytes) -> None:
        """The upstream sends bytes."""
        if self._replies is not None and not self._session.over:
            self._recorder.add(events.Replied(self._clock.now, data))
            receive_reply(self._recorder.session, self._replies, data, self._clock.now)
            self._settle()
            self._read()

    def send_fin(self) -> None:
        """The peer closes its half."""
        if self._accept is Accept.NORMAL and not self._session.over:
            self._recorder.add(events.ReceivedEof(self._clock.now))
            self._fin = True
            self._read()

    def leave(self) -> None:
        """The peer closes its half, and has no interest in what comes then."""
        if not self._fin:
            self.send_fin()
        self.left = True

    def handle_timer(self) -> None:
        """The deadline has passed."""
        now = self._clock.now
        if self._replies is not None and now >= self._replies.quiet_at:
            self._replies.began = now
            take_replies(self._recorder.session, self._replies, now)
        else:
            self._session.handle_timer(now)
        self._settle()
        self._read()

    def report_rest(self) -> None:
        """Nothing is in progress any more: report what is left."""
        if self._accept is Accept.NORMAL and not self._session.over and not self.left:
            self._recorder.input_left()
            if self._replies is not None and self._replies.owed:
                self._recorder.add(events.Owes(self._clock.now, len(self._replies.owed)))
            self._recorder.add(events.Open(self._clock.now, self._session.conversation.state))

    def _read(self) -> None:
        """Pass on input, as a driver does, while the session reads."""
        while self._unread and self._session.wants_read and not self._session.over:
            data = bytes(self._unread[: self._read_bytes])
            del self._unread[: self._read_bytes]
            self._session.receive_data(data, self._clock.now)
            self._settle()
        if self._unread and self._session.over:
            self._recorder.add(events.Discarded(self._clock.now, bytes(self._unread)))
            self._unread.clear()
        if self._fin and not self._session.over:
            self._receive_fin()

    def _receive_fin(self) -> None:
        """Pass on the peer's FIN; if input before it is not read yet, only note it."""
        session = self._session
        if not self._unread:
            self._fin = False
            session.receive_eof(self._clock.now)
            self._settle()
        elif not session.fin_noted:
            session.note_fin(self._clock.now)
            self._settle()
            self._read()

    def _settle(self) -> None:
        """Let the session go on, like a kernel with unlimited buffers; answer FIN with FIN, as most peers do.

        Its actions need no performing: the recorder has recorded each.
        """
        session = self._session
        while True:
            self._recorder.input_consumed()
            if session.awaits_flush:
                session.writing_resumed(self._clock.now)
            elif session.wants_turn:
                session.take_turn(self._clock.now)
            elif session.awaits_fin:
                session.receive_eof(self._clock.now)
            elif self._replies is not None and has_work(self._recorder.session, self._replies, self._clock.now):
                self._replies.gave_way, self._replies.began = False, self._clock.now
                take_replies(self._recorder.session, self._replies, self._clock.now)
            else:
                return
