"""A relay with rules whose upstream's bytes are framed: rules see its replies, and answers keep the order of requests.

Beside what an `Intermediary` does, the session gets what the upstream sends, and the end of either side waits for the
replies that are owed:

    conversation ── the client's FIN ──> FIN goes upstream ── nothing is owed ──> rules on EOF, then a stream
         ├─ a drain ── nothing is owed ──> rules on DRAIN, then CLOSING
         ├─ the upstream's FIN, and its replies are taken ──> a stream: FIN goes to the client
         └─ a reply that ends the framing, as 101 of HTTP ──> a stream in both directions
"""

from collections.abc import Sequence
from math import inf

from answerback.compat import override
from answerback.core.actions import Action, Close, CloseReason, Send
from answerback.core.relay.acts import NOTHING, Act, Finish, Pass
from answerback.core.relay.ending import Link
from answerback.core.relay.intermediary import Intermediary
from answerback.core.relay.relay import RELAYING
from answerback.core.relay.sides import PEER, UPSTREAM, marked
from answerback.core.session import Session
from answerback.core.session.owed import OwedReplies
from answerback.core.session.replies import has_work, receive_reply, take_replies, takes_replies

# Rule: the upstream is read while its replies can be taken, even if it takes no requests meanwhile: it may be waiting
#       for that itself.


class FramedIntermediary(Intermediary):
    """The state of a connection between a client, the rules of its listener, and an upstream with framed replies."""

    __slots__ = ()

    @property
    def replies(self) -> OwedReplies | None:
        """What the upstream owes; None while there is no conversation."""
        session = self.session
        return None if session is None or session.forwarding is None else session.forwarding.replies

    # ── What a driver reads ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def _takes(self) -> bool:
        """Whether the client gets replies now."""
        session = self.session
        return session is not None and takes_replies(session) and not self._blocked[PEER] and not self._full

    @property
    @override
    def wants_turn(self) -> bool:
        replies = self.replies
        return super().wants_turn or (replies is not None and replies.gave_way and self._takes)

    @property
    def _switching(self) -> bool:
        """Whether the last reply has ended the framing, and everything that was to be done for it is done."""
        session, replies = self.session, self.replies
        if session is None or replies is None or replies.stream is None:
            return False
        return session.conversation.script is None

    @property
    def _can_switch(self) -> bool:
        """Whether what follows can be a stream now: the client has everything, be the upstream as slow as it may."""
        return self._switching and not self._blocked[PEER] and not self._full

    @property
    @override
    def _stalled(self) -> bool:
        return super()._stalled or self._switching  # what the client sends is no request any more

    @override
    def wants_read(self, side: int) -> bool:
        replies = self.replies
        if side == PEER or replies is None:
            return super().wants_read(side)
        return not replies.more and self._takes and super().wants_read(side)

    # ── What happens ──────────────────────────────────────────────────────────────────────────────────────────────

    @override
    def not_connected(self, error: str, now: float) -> Sequence[Act]:
        if self.session is not None and self.replies is not None:
            self._forget(self.session, self.replies, now)
        return super().not_connected(error, now)

    @override
    def receive_data(self, side: int, data: bytes | memoryview, now: float) -> Sequence[Act]:
        session, replies = self.session, self.replies
        if side == PEER or session is None or replies is None or self._ending is not None or self.phase != RELAYING:
            self._begin_turn(now)
            return super().receive_data(side, data, now)
        self.active_at = now
        session.note_activity(now)
        return self._settle(receive_reply(session, replies, bytes(data), now), now) or self.next_acts(now)

    @override
    def receive_eof(self, side: int, now: float, *, cut: bool = False) -> Sequence[Act]:
        session, replies = self.session, self.replies
        if side == PEER or session is None or replies is None or self.phase != RELAYING:
            return super().receive_eof(side, now, cut=cut)
        replies.ended = True
        self._eof = marked(self._eof, UPSTREAM)
        self._cut = marked(self._cut, UPSTREAM, cut)
        self.active_at = now
        session.note_activity(now)
        return self.next_acts(now)

    @override
    def writing_resumed(self, side: int, now: float) -> Sequence[Act]:
        self._begin_turn(now)
        return super().writing_resumed(side, now)

    @override
    def handle_timer(self, now: float) -> Sequence[Act]:
        self._begin_turn(now)
        return super().handle_timer(now)

    @override
    def take_turn(self, now: float) -> Sequence[Act]:
        if self.replies is not None:
            self.replies.gave_way = False
        self._begin_turn(now)
        return super().take_turn(now)

    def _begin_turn(self, now: float) -> None:
        """Something has happened: replies have the time of a turn."""
        replies = self.replies
        if replies is not None:
            replies.began = now

    @property
    @override
    def _drains_at(self) -> float:
        at = super()._drains_at
        return at if self.replies is None or at == inf else -inf

    @override
    def _set_deadline(self) -> None:
        super()._set_deadline()
        replies = self.replies
        if replies is not None and self.phase == RELAYING and self._takes:
            self.deadline = min(self.deadline, replies.quiet_at)

    # ── The conversation ──────────────────────────────────────────────────────────────────────────────────────────

    @override
    def _translate(self, action: Action, acts: list[Act], now: float) -> None:
        replies = self.replies
        if type(action) is Close and action.reason is CloseReason.PEER_EOF and replies is not None:
            rest = replies.stream or bytes(replies.reader.buffer)
            if rest:  # what follows is a stream
                super()._translate(Send(rest), acts, now)
        super()._translate(action, acts, now)

    def _forget(self, session: Session, replies: OwedReplies, now: float) -> None:
        """Nothing is owed any more: the upstream is gone."""
        replies.forget()
        if session.recorder is not None:
            session.recorder.unanswered(now)

    @override
    def _go_on(self, now: float) -> Sequence[Act]:
        session = self.session
        self._note_flushed(now)
        replies = self.replies
        if session is None or replies is None:
            return super()._go_on(now)
        acts = super()._go_on(now)
        if acts or self.session is not session or self.phase != RELAYING:
            return acts
        if self._takes and not replies.gave_way and has_work(session, replies, now):
            acts = self._settle(take_replies(session, replies, now), now)
        if not acts:
            self._note_flushed(now)  # a request may be over without a byte
        if not acts and self._can_switch:
            return self._switch(session, replies, now)
        if not acts and self.session is session and self._client_has_left(session, replies):
            self._finished = marked(self._finished, UPSTREAM)
            return (Finish(UPSTREAM, self._cut[PEER]),)
        return acts

    def _switch(self, session: Session, replies: OwedReplies, now: float) -> Sequence[Act]:
        """What follows is a stream in both directions, as behind an upgrade to WebSocket. Nothing is owed."""
        sent, received = replies.stream, session.take_input()
        session.release()
        self.session = None
        acts: list[Act] = [Pass(UPSTREAM, received)] if received else []
        if sent:
            acts += self.receive_data(UPSTREAM, sent, now)
        flow = self._flows[UPSTREAM]
        if self._eof[UPSTREAM] and flow is not None:
            flow.feed_eof(now)
        return acts or self.next_acts(now)

    def _note_flushed(self, now: float) -> None:
        """Count the requests whose replies are in the kernel, even while the upstream takes no further ones."""
        session, replies = self.session, self.replies
        if session is not None and replies is not None and not self._blocked[PEER]:
            replies.flushed(session, now)

    def _client_has_left(self, session: Session, replies: OwedReplies) -> bool:
        """Whether FIN is to go upstream: nothing more will be forwarded."""
        free = not self._finished[UPSTREAM] and not self._blocked[UPSTREAM] and self._link is Link.OPEN
        return free and replies.leaving and session.eof

    @override
    def _flushed(self, ended: Session, now: float) -> None:
        if ended.forwarding is not None and ended.forwarding.replies is not None:
            ended.forwarding.replies.flushed(ended, now)
        super()._flushed(ended, now)

    @override
    def _upstream_ended(self, session: Session, now: float) -> Sequence[Act]:
        replies = self.replies
        if replies is None:
            return super()._upstream_ended(session, now)
        if replies.more or replies.reader.buffer or not self._takes:
            return NOTHING  # `_go_on` takes what has come before it
        self._forget(session, replies, now)
        if replies.leaving:
            return self._settle(take_replies(session, replies, now), now)
        session.conversation.script = None  # replies that it waits for will not come
        flow = self._flows[UPSTREAM]
        if flow is not None:
            flow.feed_eof(now)  # a fault may delay it
        return self._become_stream(session, now)
