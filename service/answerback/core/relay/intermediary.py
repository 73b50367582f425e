"""A relay with rules: a session answers the client, or forwards its requests to the upstream.

What the upstream sends is passed on as it comes. When the conversation is over, or one side has sent FIN, it goes on as
a relay without rules:

    conversation ── the client's FIN, and nothing is owed ──> a stream: FIN goes upstream, and replies come back
         ├─ the upstream's FIN, and nothing is in progress ─> a stream: FIN goes to the client
         └─ a rule, a limit or a drain closes it ───────────> CLOSING, or RST, on both sides
"""

from collections import deque
from collections.abc import Callable, Sequence
from math import inf

from answerback.compat import override
from answerback.core.actions import Abort, Action, Close, CloseReason, Forward, HalfClose, Reset, Send
from answerback.core.context import RequestContext
from answerback.core.plan import ActivePlan
from answerback.core.relay.acts import NOTHING, Act, Connect, Pass
from answerback.core.relay.ending import Ending, How, Link
from answerback.core.relay.flow import CHUNK
from answerback.core.relay.joining import joined
from answerback.core.relay.relay import CONNECTING, OVER, QUIET_SECONDS, RELAYING, Relay
from answerback.core.relay.sides import PEER, UPSTREAM, marked
from answerback.core.session import Session, waits_for

# Rule: the session goes on only while both sides take everything: so what is held of requests that are forwarded is
#       what was in the session's buffer.
# Rule: FIN and RST are decided once everything returned before is in the kernel: in `next_acts`.


class Intermediary(Relay):
    """The state of a connection between a client, the rules of its listener, and an upstream."""

    __slots__ = ("_ending", "_link", "_make_session", "_pending", "_to_peer", "session")

    session: Session | None
    """The conversation; None while there is none."""

    PASSES_ALL = False

    def __init__(
        self,
        active: ActivePlan,
        now: float,
        make_context: Callable[[], RequestContext],
        make_session: Callable[[float], Session],
    ) -> None:
        super().__init__(active, now, make_context)
        self._make_session = make_session
        self._link = Link.ABSENT
        self._ending: Ending | None = None
        self._pending: list[bytes] = []  # for the upstream, once it is connected
        self._to_peer: deque[memoryview] = deque()  # of the session, for which a flow has no room
        self.session = None

    # ── What a driver reads ───────────────────────────────────────────────────────────────────────────────────────

    @property
    @override
    def flowing(self) -> bool:
        if self._is_stream:
            return super().flowing
        return self.phase != OVER

    @property
    def _is_stream(self) -> bool:
        """Whether there are no rules, and the upstream is connected."""
        return self._active.plan.streams and self.session is None and self._link is Link.OPEN

    @property
    @override
    def waits_for(self) -> str:
        if self._link is Link.AWAITED:
            return "upstream"
        if self.session is None or self._blocked[UPSTREAM]:
            return super().waits_for
        return waits_for(self.session)

    @property
    def wants_turn(self) -> bool:
        """Whether to call `take_turn`: work is left that only waits for that."""
        return self.session is not None and self.session.wants_turn and not self._stalled

    @property
    def held(self) -> int:
        """The bytes that faults hold for the client."""
        flow = self._flows[UPSTREAM]
        return 0 if flow is None else flow.held

    @override
    def wants_read(self, side: int) -> bool:
        if self._ending is not None or (side == UPSTREAM and self._link is not Link.OPEN):
            return False
        if side == UPSTREAM or self.session is None:
            return super().wants_read(side)
        return self.session.wants_read and not self._full and super().wants_read(side)

    # ── The upstream ──────────────────────────────────────────────────────────────────────────────────────────────

    def start(self, now: float) -> Sequence[Act]:
        """The client has connected."""
        upstream = self._active.plan.upstream
        if upstream is not None and upstream.on_forward:
            return self._begin(now)
        return (self._connect(),)

    def _connect(self) -> Act:
        self._link = Link.AWAITED
        self._blocked = marked(self._blocked, UPSTREAM)
        return Connect()

    def _begin(self, now: float) -> Sequence[Act]:
        """Begin the conversation."""
        self.phase = RELAYING
        session = self.session = self._make_session(now)
        acts = [*self.plan_changed(now)]
        if session.has_connect_rules:
            acts += self._settle(session.connection_made(now), now)
        self._set_deadline()
        return acts

    @override
    def connected(self, now: float) -> Sequence[Act]:
        self._link = Link.OPEN
        self._blocked = marked(self._blocked, UPSTREAM, False)
        self.active_at = now
        if self.phase == CONNECTING:
            return super().connected(now) if self._active.plan.streams else self._begin(now)
        if self.phase != RELAYING:
            return NOTHING  # it is closed with the client
        pending, self._pending = self._pending, []
        return [Pass(UPSTREAM, data) for data in pending] or self.next_acts(now)

    @override
    def not_connected(self, error: str, now: float) -> Sequence[Act]:
        self._link = Link.ABSENT
        self._blocked = marked(self._blocked, UPSTREAM, False)
        self._pending.clear()
        if self.phase > RELAYING:
            return NOTHING
        acts: list[Act] = []
        if self.phase == CONNECTING:
            if not self._active.plan.on_upstream_down:
                return self.abort(CloseReason.UPSTREAM_DOWN)
            self.phase = RELAYING
            self.session = self._make_session(now)
            acts += self.plan_changed(now)
        session = self.session
        actions = None if session is None else session.upstream_down(error, now)
        if actions is None:
            return self.abort(CloseReason.UPSTREAM_DOWN)
        acts += self._settle(actions, now)
        return acts or self.next_acts(now)

    # ── What the sides do ─────────────────────────────────────────────────────────────────────────────────────────

    @override
    def receive_data(self, side: int, data: bytes | memoryview, now: float) -> Sequence[Act]:
        session = self.session
        if self._ending is not None:
            return NOTHING
        if session is None or self.phase != RELAYING:
            return super().receive_data(side, data, now)
        session.note_activity(now)
        if side == UPSTREAM or self._flows[PEER] is not None:
            return super().receive_data(side, data, now)
        self.active_at = now
        return self._settle(session.receive_data(bytes(data), now), now) or self.next_acts(now)

    @override
    def receive_eof(self, side: int, now: float, *, cut: bool = False) -> Sequence[Act]:
        session = self.session
        if session is None or self.phase != RELAYING:
            return super().receive_eof(side, now, cut=cut)
        self._eof = marked(self._eof, side)
        self._cut = marked(self._cut, side, cut)
        self.active_at = now
        session.note_activity(now)
        flow = self._flows[side]
        if flow is not None:
            flow.feed_eof(now)
        return self.next_acts(now)

    def peer_paused(self, now: float) -> None:
        """The kernel has not taken everything for the client; `writing_paused` follows."""
        if self.session is not None:
            self.session.writing_paused(now)

    @override
    def lost(self, reason: CloseReason) -> Sequence[Act]:
        session = self.session
        if session is not None and self.phase == RELAYING:
            reason = session.connection_lost(reason)
        return super().lost(reason)

    @override
    def abort(self, reason: CloseReason) -> Sequence[Act]:
        if self.session is not None:
            self.session.connection_lost(reason)
            self.session = None
        self._to_peer.clear()
        return super().abort(reason)

    # ── Time ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take_turn(self, now: float) -> Sequence[Act]:
        """Continue the work that was left when the last turn was used up."""
        session = self.session
        if session is None or self.phase != RELAYING:
            return NOTHING
        return self._settle(session.take_turn(now), now) or self.next_acts(now)

    @override
    def handle_timer(self, now: float) -> Sequence[Act]:
        session = self.session
        if session is None or self.phase != RELAYING:
            return super().handle_timer(now)
        acts = self.next_acts(now)
        if acts or self.session is not session:
            return acts
        if any(self._blocked) or self._holds(PEER) or self._holds(UPSTREAM):
            self.active_at = now  # `write_timeout` and `connect_timeout` apply, or a fault
            session.note_activity(now)
            session.writing_progressed(now)
        if now >= self._drains_at:
            return self._settle(session.drain(now), now) or self.next_acts(now)
        if now >= session.deadline:
            return self._settle(session.handle_timer(now), now) or self.next_acts(now)
        self._set_deadline()
        return NOTHING

    @property
    def _drains_at(self) -> float:
        """When to drain the session: what the upstream owes is unknown, so once nothing has passed for some time."""
        session = self.session
        if not self._draining or session is None or (session.closing is not None and session.closing.draining):
            return inf
        return self.active_at + QUIET_SECONDS if self._link is not Link.ABSENT else -inf

    @override
    def _set_deadline(self) -> None:
        if self.session is None or self.phase != RELAYING:
            super()._set_deadline()
        else:
            self.deadline = min(self.session.deadline, self._drains_at, self._due_at(PEER), self._due_at(UPSTREAM))

    @override
    def _due_at(self, side: int) -> float:
        flow = self._flows[side]
        if side == PEER and flow is not None and self.session is not None and not self._listens:
            return flow.ends_at
        return super()._due_at(side)

    # ── The conversation ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _full(self) -> bool:
        """Whether a fault holds as much for the client as it may."""
        flow = self._flows[UPSTREAM]
        return bool(self._to_peer) or (flow is not None and flow.full)

    @property
    def _stalled(self) -> bool:
        """Whether the session has to wait for a side, or for a fault."""
        return self._blocked[PEER] or self._blocked[UPSTREAM] or self._full

    @property
    def _listens(self) -> bool:
        """Whether the session takes what the client sends."""
        return self.session is not None and self.session.wants_read and not self._stalled

    def _settle(self, actions: Sequence[Action], now: float) -> list[Act]:
        """Return what the session's actions come to, and those that follow while nothing has to be done first."""
        acts: list[Act] = []
        session = self.session
        while session is not None:
            for action in actions if self._flows[UPSTREAM] is not None else joined(actions):  # a fault sees each reply
                self._translate(action, acts, now)
            if acts or self._ending is not None or not session.awaits_flush or self._stalled:
                break
            actions = session.writing_resumed(now)
        if self._ending is not None:
            self.session = None
        self._feed(now)
        if not acts:
            acts += self._release_to_peer(now)
        if not acts and self._ending is not None:
            acts += self._end(now)
        if self.phase == RELAYING:
            self._set_deadline()
        return acts

    def _translate(self, action: Action, acts: list[Act], now: float) -> None:
        session = self.session
        assert session is not None
        match action:
            case Send(data):
                if self._flows[UPSTREAM] is None:
                    acts.append(Pass(PEER, data))
                else:
                    self._to_peer.append(memoryview(data))
                    self._feed(now)
            case Forward(data):
                if self._link is Link.OPEN:
                    acts.append(Pass(UPSTREAM, data))
                    return
                self._pending.append(data)
                if self._link is Link.ABSENT:
                    acts.append(self._connect())
            case HalfClose():
                self._ending = Ending(How.IN_ORDER, session.own_closing().reason, session)
            case Close(reason):
                orderly = reason != CloseReason.PEER_EOF or self._link is Link.ABSENT
                self._ending = Ending(How.IN_ORDER if orderly else How.AS_STREAM, reason, session)
            case Reset(reason):
                self._ending = Ending(How.BY_RESET, reason, session)
            case Abort(reason):
                acts += self.abort(reason)
            case _:
                raise AssertionError(f"{action} is not for an intermediary")

    def _feed(self, now: float) -> None:
        """Let a fault hold as much of the session's output as it may."""
        flow = self._flows[UPSTREAM]
        while self._to_peer and flow is not None and not flow.full:
            data = self._to_peer.popleft()
            flow.feed(data[:CHUNK], now)
            if len(data) > CHUNK:
                self._to_peer.appendleft(data[CHUNK:])

    @override
    def _release(self, now: float) -> Sequence[Act]:
        if self.session is None:
            return super()._release(now)
        return [*self._release_to_peer(now), *self._release_to_session(now)]

    def _release_to_peer(self, now: float) -> Sequence[Act]:
        flow = self._flows[UPSTREAM]
        if flow is None or self._blocked[PEER]:
            return NOTHING
        acts = [Pass(PEER, piece) for piece in flow.take(now)]
        self._feed(now)
        return acts

    def _release_to_session(self, now: float) -> Sequence[Act]:
        """Let the session read what a fault has held long enough, until it has something to do."""
        flow, session = self._flows[PEER], self.session
        while flow is not None and session is not None and self._listens and self._ending is None:
            piece = next(flow.take(now), None)
            if piece is None:
                break
            acts = self._settle(session.receive_data(piece, now), now)
            if acts:
                return acts
        return NOTHING

    @override
    def _go_on(self, now: float) -> Sequence[Act]:
        """What follows once everything returned so far is in the kernel."""
        session = self.session
        if self._ending is not None:
            return self._end(now)
        if session is None or self.phase != RELAYING:
            return super()._go_on(now)
        if session.awaits_flush:
            acts = NOTHING if self._stalled else self._settle(session.writing_resumed(now), now)
            if acts or self.session is not session or session.awaits_flush:
                return acts
        if self._eof[PEER] and not session.eof and not self._holds(PEER):
            self._reason = CloseReason.PEER_EOF if self._reason is None else self._reason
            return self._settle(session.receive_eof(now), now)
        if self._eof[UPSTREAM] and not self._holds(UPSTREAM):
            return self._upstream_ended(session, now)
        return NOTHING

    def _upstream_ended(self, session: Session, now: float) -> Sequence[Act]:
        """The upstream has sent FIN, and everything before it was received: pass it on behind the script."""
        return NOTHING if session.busy else self._become_stream(session, now)

    def _become_stream(self, session: Session, now: float) -> Sequence[Act]:
        """The upstream has sent FIN, so the client gets one: what it still sends is passed on."""
        self._reason = CloseReason.UPSTREAM_EOF if self._reason is None else self._reason
        rest = session.take_input()
        session.release()
        self.session = None
        return (Pass(UPSTREAM, rest),) if rest else super()._go_on(now)

    def _end(self, now: float) -> Sequence[Act]:
        """End the conversation, unless something has to leave before."""
        ending = self._ending
        assert ending is not None
        if self._to_peer or self._holds(UPSTREAM) or self._blocked[PEER]:
            return NOTHING
        self._ending = None
        if ending.how is How.BY_RESET:
            return self.abort(ending.reason)
        self._flushed(ending.session, now)
        if ending.how is How.IN_ORDER:
            return self._begin_closing(ending.reason, now)
        self._reason = ending.reason if self._reason is None else self._reason
        return super()._go_on(now)

    def _flushed(self, ended: Session, now: float) -> None:
        """Everything that a conversation has sent before its end is in the kernel."""
        ended.writing_resumed(now)

    @override
    def _begin_closing(self, reason: CloseReason, now: float) -> Sequence[Act]:
        self._pending.clear()
        self._to_peer.clear()
        self.session = self._ending = None
        if self._link is not Link.OPEN and self.phase == RELAYING:
            self._eof = marked(self._eof, UPSTREAM)
            self._finished = marked(self._finished, UPSTREAM)
            self._blocked = marked(self._blocked, UPSTREAM, False)
        return super()._begin_closing(reason, now)
