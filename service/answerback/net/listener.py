"""One listener of one worker: its plan, its counters and its connections."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from random import Random
from time import monotonic
from typing import Protocol, TypeVar

from answerback.core.actions import CloseReason
from answerback.core.matching import Mismatch
from answerback.core.plan import Accept, ActivePlan, Engine, ListenerPlan
from answerback.core.recorder import Recorded
from answerback.core.shared_view import SharedView
from answerback.net.admission import Admission
from answerback.net.callback import CallbackConnection
from answerback.net.connection import Connection
from answerback.net.coroutine import CoroutineConnection
from answerback.net.deadlines import Deadlines
from answerback.net.held_connection import HeldConnection
from answerback.net.poller import Poller
from answerback.net.run_queue import NOTABLE_SECONDS, RunQueue
from answerback.net.signals import Signals
from answerback.net.stagger import Staggered
from answerback.net.turning_away import TurningAway
from answerback.shared.journal.recorder import ListenerJournal
from answerback.shared.journal.region import JournalRegion
from answerback.shared.listener_counters import Cells, ListenerCounters
from answerback.shared.sequences import SharedSequences

MISBEHAVING = frozenset((Accept.CLOSE, Accept.RESET, Accept.HOLD))

# A client that has just connected may be about to send: its request is on its way, or is retransmitted because the SYN
# filter dropped it (after at least 0.2 s, RFC 6298 as Linux implements it).
FIRST_REQUEST_SECONDS = 1.0

EXPLAINED_SECONDS = 0.01  # of each second, to explain why no rule matched a request, or a frame was unexpected

T = TypeVar("T")

log = logging.getLogger(__name__)

DRIVERS: Mapping[Engine, type[CallbackConnection] | type[CoroutineConnection]] = {
    Engine.CALLBACK: CallbackConnection,
    Engine.COROUTINE: CoroutineConnection,
}


def chance_of(plan: ListenerPlan) -> Random:
    """Create the listener's random generator."""
    return Random(plan.random_seed)  # noqa: S311 - for lifelike answers, not for secrets


class Worker(Protocol):
    """What all listeners of a worker share."""

    loop: asyncio.AbstractEventLoop
    region: Cells
    admission: Admission
    sequences: SharedSequences
    deadlines: Deadlines
    poller: Poller
    run_queue: RunQueue
    signals: Signals
    shared_view: Callable[[], SharedView]

    process: int
    slot: int
    journal: JournalRegion

    def next_connection_number(self) -> int:
        """See `connection.Host.next_connection_number`."""

    def connection_left(self) -> None:
        """The last connection of a listener is closed."""


class Listener:
    """One listener of one worker: an active plan, and the connections it serves.

    Connections know it as `connection.Host`.
    """

    def __init__(self, worker: Worker, plan: ListenerPlan) -> None:
        self.name = plan.name
        self.loop = worker.loop
        self.deadlines = worker.deadlines
        self.poller = worker.poller
        self.run_queue = worker.run_queue
        self.signals = worker.signals
        self.active = ActivePlan(plan)
        self._driver = DRIVERS[plan.engine]
        self.counters = ListenerCounters(worker.region, plan.block)
        self.connections: set[Connection] = set()
        self.chance = chance_of(plan)
        self.shared_view = worker.shared_view
        self.sequences = worker.sequences
        self.next_connection_number = worker.next_connection_number
        self.process = worker.process
        self.journal: ListenerJournal | None = None
        self._region = worker.journal
        self._slot = worker.slot
        self._explained_since = 0.0
        self._explained_for = 0.0  # seconds that it took since then to explain why no rule matched
        self._journal_settings(plan)
        self._drain_schedule = Staggered(self.loop, (), self._drain_one, 0.0)
        self._drains = 0  # how many held connections have been released
        self._admission = worker.admission
        self._cells = worker.region
        self._turning_away: TurningAway | None = None  # made when it is first needed
        self._left = worker.connection_left

    def activate(self, plan: ListenerPlan) -> None:
        """Switch to another plan.

        The random generator stays unless the seed differs, and NORMAL releases held connections.
        """
        former, self.active.plan = self.active.plan, plan
        self._driver = DRIVERS[plan.engine]
        if plan.journal != former.journal:
            self._journal_settings(plan)
        if plan.random_seed != former.random_seed:
            self.chance = chance_of(plan)
        if plan.accept is Accept.NORMAL and former.accept is not Accept.NORMAL:
            for connection in tuple(self.connections):
                if isinstance(connection, HeldConnection):
                    connection.release()

    def _journal_settings(self, plan: ListenerPlan) -> None:
        """Begin or stop to record, on all connections, whichever plan they follow."""
        settings, now = plan.journal, monotonic()
        self._region.switch(plan.block, now, on=settings.enabled)
        self.journal = None
        if settings.enabled:
            self.journal = ListenerJournal(
                self._region, plan.block, settings.body_bytes, self.process, self._slot, self._unmatched
            )
        for connection in self.connections:
            if connection.session.recorder is not None:
                connection.session.recorder.over(now)
            connection.session.recorder = self.journal

    def _unmatched(self, request: bytes, session: Recorded) -> bytes:
        """Return why no rule matched a request, and log it; empty if that took much time in this second already."""
        explained = self.active.plan.nearest
        if explained is None:
            return b""
        near = self._explained(lambda: explained.of(request, session.context))
        if near is None:
            return b""
        # Without the reason, which quotes the request.
        log.warning(
            "a request matched no rule",
            extra={"listener": self.name, "nearest_rule": near.rule, "differs_at_byte": near.mismatch.at},
        )
        return str(near).encode()

    def unexpected(self, rule: str, explain: Callable[[], Mismatch]) -> None:
        """See `connection.Host`."""
        mismatch = self._explained(explain)
        log.warning(
            "a received frame is not what the rule expects, connection closed",
            extra={
                "listener": self.name,
                "rule": rule,
                "differs_at_byte": None if mismatch is None else mismatch.at,
            },
        )

    def _explained(self, explain: Callable[[], T]) -> T | None:
        """Return an explanation; None if explanations took much time in this second already."""
        now = monotonic()
        if now - self._explained_since > 1.0:
            self._explained_since, self._explained_for = now, 0.0
        if self._explained_for > EXPLAINED_SECONDS:
            return None
        explanation = explain()
        self._explained_for += monotonic() - now
        return explanation

    def accepted(self, descriptor: int, family: int, address: object, former: Accept | None = None) -> None:
        """A connection was accepted: reject it, or start the conversation.

        `former`: the earlier value of `accept`, at an address that the plan has left or closed since.
        """
        plan = self.active.plan
        accept = plan.accept if former is None else former
        limits = plan.limits
        peer = None
        if limits.max_connections or limits.max_connections_per_peer:
            if limits.max_connections_per_peer:
                peer = packed(family, address)
            rejection = self._admission.admit(plan, peer or b"", self.counters.accepted)
            if rejection is not None:
                self.counters.rejected(rejection)
                self._turn_away(plan, descriptor, family)
                return
        else:
            self.counters.accepted()
        if accept is not Accept.NORMAL and accept in MISBEHAVING:  # hashing an enum is slow
            self._misbehave(accept, descriptor, family, peer)
            return
        connection = self._driver(self, descriptor, family, peer)
        self.connections.add(connection)
        if plan.numbers_connections:
            connection.draw_number()
        connection.begin()
        now = monotonic()
        if now - connection.session.born > NOTABLE_SECONDS:
            self.run_queue.charge(connection, now - connection.session.born, now)

    def _turn_away(self, plan: ListenerPlan, descriptor: int, family: int) -> None:
        """A connection is over a limit: close it, or do what the rules on LIMIT say."""
        if plan.on_limit is None:
            os.close(descriptor)
            return
        if self._turning_away is None:
            self._turning_away = TurningAway(self, self._cells, plan.block, plan.on_limit)
        self._turning_away.active.plan = plan.on_limit
        self._turning_away.accept(self._driver, descriptor, family)

    def connection_closed(self, connection: Connection, peer: bytes | None) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        if peer is not None:
            self._admission.left(self.active.plan, peer)
        if not self.connections:
            self._left()

    def _misbehave(self, accept: Accept, descriptor: int, family: int, peer: bytes | None) -> None:
        """Treat an accepted connection as `accept` says."""
        if accept is Accept.HOLD:
            held = HeldConnection(self, descriptor, family, peer, self._start_engine)
            self.connections.add(held)
            held.begin()
            return
        connection = self._driver(self, descriptor, family, peer)
        self.connections.add(connection)
        if accept is Accept.RESET:
            connection.abort(CloseReason.SERVER_RESET)
        else:
            connection.dismiss(CloseReason.SERVER_CLOSE)

    def _start_engine(self, held: HeldConnection, end: CloseReason | None) -> None:
        """Start the conversation on a held connection; or, given a reason, close it in order."""
        self.connections.discard(held)
        sock = held.sock
        family = sock.family
        connection = self._driver(self, sock.detach(), family, held.counted_peer)
        self.connections.add(connection)
        if end is None:
            connection.draw_number()
            connection.begin()
        else:
            connection.dismiss(end)

    def drain(self, spread_seconds: float = 0.0) -> None:
        """Let all connections finish their requests, then close in order: the oldest first, within `spread_seconds`."""
        self._drain_schedule.cancel()
        self._drain_schedule = Staggered(self.loop, sorted(self.connections, key=age), self._drain_one, spread_seconds)

    def abort(self) -> None:
        """Reset every connection."""
        self._drain_schedule.cancel()
        for connection in tuple(self.connections):
            connection.abort(CloseReason.ABORTED)
        if self._turning_away is not None:
            self._turning_away.abort()

    def drain_no_more(self) -> None:
        """Cancel the drain for connections that have not been told to finish yet."""
        self._drains += 1
        self._drain_schedule.cancel()

    def _drain_one(self, connection: Connection) -> None:
        left = connection.session.born + FIRST_REQUEST_SECONDS - monotonic()
        if left > 0 and not connection.received_any:
            self.loop.call_later(left, self._drain_late, connection, self._drains)
        else:
            self._drain_now(connection)

    def _drain_late(self, connection: Connection, drains: int) -> None:
        if drains == self._drains:
            self._drain_now(connection)

    def _drain_now(self, connection: Connection) -> None:
        if connection in self.connections:
            connection.drain()


def age(connection: Connection) -> float:
    """Sort key of connections: the oldest first."""
    return connection.session.born


def packed(family: int, address: object) -> bytes:
    """Return the peer's address in network order; empty on a Unix socket."""
    if not isinstance(address, tuple):
        return b""
    return socket.inet_pton(family, str(address[0]).partition("%")[0])  # without the IPv6 zone
