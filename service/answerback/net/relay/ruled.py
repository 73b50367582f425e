"""A connection between a client, the rules of its listener, and an upstream: `core.relay.intermediary` decides."""

from time import monotonic
from typing import TYPE_CHECKING

from answerback.compat import override
from answerback.core.actions import CloseReason
from answerback.core.relay import PEER, UPSTREAM, FramedIntermediary, Intermediary
from answerback.core.session import Session
from answerback.core.session.forwarding import Forwarding
from answerback.core.session.owed import OwedReplies
from answerback.net.relay.awaited_client import AwaitedClient
from answerback.net.relay.connection import RelayedConnection
from answerback.net.relay.side import Side
from answerback.shared.journal.listener_journal import ListenerJournal
from answerback.shared.journal.run_recorder import RunRecorder

if TYPE_CHECKING:
    import asyncio

# Rule: the session is only called by the intermediary; what operators see of it is read here.


class RuledConnection(RelayedConnection):
    """One connection of a listener with an upstream and rules."""

    __slots__ = ("_client", "_starting", "session")

    relay: Intermediary
    _client: AwaitedClient | None
    session: Session | None
    """The conversation, also once it is over; None if there was none."""

    @override
    def _make_relay(self) -> Intermediary:
        self.session = None
        self._drawn = None
        self._starting: asyncio.Task[None] | None = None
        kind = Intermediary if self._upstream.framing is None else FramedIntermediary
        return kind(self.host.active, monotonic(), self._make_context, self._make_session)

    def _make_session(self, now: float) -> Session:
        session = self.session = Session(self.host.active, self.counters, now, self)
        session.born = self.born
        session.forwarding = self._make_forwarding()
        session.recorder = self._journal
        if self.host.active.plan.numbers_connections:
            self.listener_number  # noqa: B018 - it is drawn when it is read
        return session

    def _make_forwarding(self) -> Forwarding:
        upstream = self.host.active.plan.upstream
        framing = None if upstream is None else upstream.framing
        framed = framing is not None and isinstance(self.relay, FramedIntermediary)  # it may be older than a change
        return Forwarding(OwedReplies(framing) if framed and framing is not None else None)

    @override
    def begin(self) -> None:
        self._keep_deadline()
        self._client = AwaitedClient.of(self)
        self._starting = self.host.loop.create_task(self._start(self._client))

    async def _start(self, client: AwaitedClient | None) -> None:
        """Open the client's side, wait until the client is known, and let the intermediary begin."""
        try:
            if client is None:
                await self.sides[PEER].open()
            else:
                await client.wait()
        except OSError as error:
            self._starting = None
            self.lost(PEER, error)
        except Exception:
            self._starting = None
            self.failed()
        else:
            self._starting = None
            if not self.relay.over:
                self._guarded_start()

    def _guarded_start(self) -> None:
        try:
            self.follow(self.relay.start(monotonic()))
        except Exception:
            self.failed()

    @property
    @override
    def _awaited(self) -> AwaitedClient | None:
        return None if self._starting is None else self._client

    @override
    async def open_sides(self) -> None:
        await self.sides[UPSTREAM].open()

    # ── See `context.SessionConnection` ───────────────────────────────────────────────────────────────────────────────

    def await_signal(self, name: str, /) -> None:
        """Wait for a signal."""
        self._wait = self.host.signals.wait(name, self)

    # ── See `served.Served` ───────────────────────────────────────────────────────────────────────────────────────

    @property
    @override
    def requests(self) -> int:
        return 0 if self.session is None else self.session.number

    @property
    @override
    def rule_state(self) -> str:
        return "" if self.session is None else self.session.conversation.state

    @override
    def record(self, journal: ListenerJournal | None, now: float) -> None:
        super().record(journal, now)
        session = self.session
        if session is not None:
            if session.recorder is not None:
                session.recorder.over(now)
            session.recorder = journal

    @override
    def run_turn(self) -> None:
        try:
            self.follow(self.relay.take_turn(monotonic()))
        except Exception:
            self.failed()

    # ── What the sides report ─────────────────────────────────────────────────────────────────────────────────────

    @override
    def writing_paused(self, side: Side) -> None:
        if side.side == PEER:
            self.relay.peer_paused(monotonic())
        super().writing_paused(side)

    @override
    def attend(self) -> None:
        super().attend()
        if self.relay.wants_turn:
            self.host.run_queue.add_heavy(self)
        client = self._client
        if client is not None and self._starting is None and self.relay.wants_read(PEER):
            self._client = None
            client.deliver(monotonic())

    @override
    def _record_end(self, reason: CloseReason) -> None:
        self.host.run_queue.forget(self)
        if self._starting is not None:
            self._starting.cancel()
        self.forgo_signal()
        recorder = None if self.session is None else self.session.recorder
        if not isinstance(recorder, RunRecorder):
            super()._record_end(reason)
            return
        recorder.ended(reason, monotonic(), self.born, self.requests, self.received_bytes, self.sent_bytes)
