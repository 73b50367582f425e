"""One listener of one worker: its plan, its counters and its connections."""

import asyncio
import os
from collections.abc import Callable, Mapping
from random import Random
from time import monotonic
from typing import Protocol

from answerback.core.actions import CloseReason
from answerback.core.plan import Accept, ActivePlan, Engine, ListenerPlan
from answerback.core.shared_view import SharedView
from answerback.core.upstream import Upstream
from answerback.net.admission import Admission
from answerback.net.announcing import Announcing
from answerback.net.callback import CallbackConnection
from answerback.net.coroutine import CoroutineConnection
from answerback.net.deadlines import Deadlines
from answerback.net.drain import Drain
from answerback.net.held_connection import HeldConnection
from answerback.net.mismatch_log import MismatchLog
from answerback.net.peers import packed
from answerback.net.poller import Poller
from answerback.net.relay.connection import RelayedConnection
from answerback.net.relay.relaying import Relaying
from answerback.net.relay.ruled import RuledConnection
from answerback.net.run_queue import NOTABLE_SECONDS, RunQueue
from answerback.net.served import Served
from answerback.net.signals import Signals
from answerback.net.turning_away import TurningAway
from answerback.shared.journal.listener_journal import ListenerJournal
from answerback.shared.journal.region import JournalRegion
from answerback.shared.listener_counters import Cells, ListenerCounters
from answerback.shared.sequences import SharedSequences

NORMAL = Accept.NORMAL
MISBEHAVING = frozenset((Accept.CLOSE, Accept.RESET, Accept.HOLD))

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
    relaying: Relaying
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
        self.connections: set[Served] = set()
        self.chance = chance_of(plan)
        self.shared_view = worker.shared_view
        self.sequences = worker.sequences
        self.next_connection_number = worker.next_connection_number
        self.process = worker.process
        self.journal: ListenerJournal | None = None
        self._region = worker.journal
        self._slot = worker.slot
        self._mismatches = MismatchLog(plan.name, self.active)
        self.unexpected = self._mismatches.unexpected
        self._journal_settings(plan)
        if plan.upstream is not None:
            self.counters.relays()
        self._drain = Drain(self.loop, self.connections)
        self._admission = worker.admission
        self._cells = worker.region
        self._turning_away: TurningAway | None = None  # made when it is first needed
        self.announcing: Announcing | None = None  # the same
        self._learn_clients(plan)
        self._left = worker.connection_left
        self._relaying = worker.relaying

    def activate(self, plan: ListenerPlan) -> None:
        """Switch to another plan.

        The random generator stays unless the seed differs, and NORMAL releases held connections.
        """
        former, self.active.plan = self.active.plan, plan
        self._driver = DRIVERS[plan.engine]
        if plan.upstream is not None:
            self.counters.relays()
        if plan.relay_faults != former.relay_faults:
            for connection in tuple(self.connections):
                if isinstance(connection, RelayedConnection):
                    connection.plan_changed()
        if plan.journal != former.journal:
            self._journal_settings(plan)
        if plan.random_seed != former.random_seed:
            self.chance = chance_of(plan)
        self._learn_clients(plan)
        if plan.accept is Accept.NORMAL and former.accept is not Accept.NORMAL:
            for connection in tuple(self.connections):
                if isinstance(connection, HeldConnection):
                    connection.release()

    def _learn_clients(self, plan: ListenerPlan) -> None:
        """Prepare for connections that begin with a PROXY header, if the plan has them."""
        if plan.proxy_protocol is not None and self.announcing is None:
            self.announcing = Announcing(self, self._admission, self._cells, plan.block)

    def _journal_settings(self, plan: ListenerPlan) -> None:
        """Begin or stop to record, on all connections, whichever plan they follow."""
        settings, now = plan.journal, monotonic()
        self._region.switch(plan.block, now, on=settings.enabled)
        self.journal = None
        if settings.enabled:
            self.journal = ListenerJournal(
                self._region, plan.block, settings.body_bytes, self.process, self._slot, self._mismatches.unmatched
            )
        for connection in self.connections:
            if connection.host is self:
                connection.record(self.journal, now)

    def accepted(self, descriptor: int, family: int, address: object, former: Accept | None = None) -> None:
        """A connection was accepted: reject it, or start the conversation.

        `former`: the earlier value of `accept`, at an address that the plan has left or closed since.
        """
        plan = self.active.plan
        accept = plan.accept if former is None else former
        limits = plan.limits
        announcing = None if plan.proxy_protocol is None else self.announcing
        counters = self.counters if announcing is None else announcing.counters
        peer = None
        if limits.max_connections or limits.max_connections_per_peer:
            if limits.max_connections_per_peer and announcing is None:
                peer = packed(family, address)
            rejection = self._admission.admit(plan, peer, counters.accepted)
            if rejection is not None:
                self.counters.rejected(rejection)
                self._turn_away(plan, descriptor, family, address)
                return
        else:
            counters.accepted()
        if accept is not NORMAL and accept in MISBEHAVING:  # hashing an enum is slow, and so is looking up its members
            self._misbehave(accept, descriptor, family, peer, address, counters)
            return
        if plan.upstream is not None:
            self._relay(plan.upstream, descriptor, family, peer, address, counters).begin()
            return
        connection = self._driver(self, descriptor, family, peer)
        if announcing is None and self.journal is not None:
            number = connection.number = self.next_connection_number()
            connection.session.recorder = self.journal.accepted(number, address)
        self.connections.add(connection)
        if announcing is not None:
            connection.counters = announcing.counters
        elif plan.numbers_connections:
            connection.draw_number()
        if plan.counts_peers:
            connection.packed_peer = packed(family, address)
        self._begin(connection)

    def _begin(self, connection: CallbackConnection | CoroutineConnection) -> None:
        """Start the conversation, and account for the time that this takes."""
        connection.begin()
        now = monotonic()
        if now - connection.session.born > NOTABLE_SECONDS:
            self.run_queue.charge(connection, now - connection.session.born, now)

    def _relay(
        self,
        upstream: Upstream,
        descriptor: int,
        family: int,
        peer: bytes | None,
        address: object,
        counters: ListenerCounters,
    ) -> RelayedConnection:
        """Return a connection that is relayed once it begins."""
        plan = self.active.plan
        kind = RelayedConnection if plan.streams and not plan.on_upstream_down else RuledConnection
        connection = kind(self, upstream, self._relaying, descriptor, family, peer)
        if self.journal is not None:
            connection.address = address
        connection.counters = counters
        if plan.counts_peers:
            connection.packed_peer = packed(family, address)
        self.connections.add(connection)
        return connection

    def turning_away(self, plan: ListenerPlan) -> TurningAway | None:
        """The connections over a limit; None if no rule says what to do with them."""
        if plan.on_limit is None:
            return None
        if self._turning_away is None:
            self._turning_away = TurningAway(self, self._cells, plan.block, plan.on_limit)
        self._turning_away.active.plan = plan.on_limit
        return self._turning_away

    def _turn_away(self, plan: ListenerPlan, descriptor: int, family: int, address: object) -> None:
        """A connection is over a limit: close it, or do what the rules on LIMIT say."""
        turning_away = self.turning_away(plan)
        if turning_away is None:
            os.close(descriptor)
        else:
            turning_away.accept(self._driver, descriptor, family, address)

    def connection_closed(self, connection: Served, peer: bytes | None) -> None:
        """A connection is closed."""
        self.connections.discard(connection)
        if self.announcing is not None:
            self.announcing.closed(connection)
        if peer is not None:
            self._admission.left(self.active.plan, peer)
        if not self.connections:
            self._left()

    def _misbehave(
        self,
        accept: Accept,
        descriptor: int,
        family: int,
        peer: bytes | None,
        address: object,
        counters: ListenerCounters,
    ) -> None:
        """Treat an accepted connection as `accept` says."""
        if accept is Accept.HOLD:
            held = HeldConnection(self, descriptor, family, peer, self._start_engine)
            held.address, held.counters = address, counters
            self.connections.add(held)
            held.begin()
            return
        connection = self._driver(self, descriptor, family, peer)
        connection.address, connection.counters = address, counters
        self.connections.add(connection)
        if accept is Accept.RESET:
            connection.abort(CloseReason.SERVER_RESET)
        else:
            connection.dismiss(CloseReason.SERVER_CLOSE)

    def _start_engine(self, held: HeldConnection, end: CloseReason | None) -> None:
        """Start the conversation on a held connection; or, given a reason, close it in order."""
        self.connections.discard(held)
        sock, upstream = held.sock, self.active.plan.upstream
        family = sock.family
        if end is None and upstream is not None:
            relayed = self._relay(upstream, sock.detach(), family, held.counted_peer, held.address, held.counters)
            if self.announcing is None or self.announcing.released(relayed):
                relayed.begin()
            return
        connection = self._driver(self, sock.detach(), family, held.counted_peer)
        connection.address = held.address
        self.connections.add(connection)
        connection.counters = held.counters
        if end is None:
            if self.announcing is None:
                connection.draw_number()
            if self.announcing is None or self.announcing.released(connection):
                connection.begin()
        else:
            connection.dismiss(end)

    def drain(self, spread_seconds: float = 0.0) -> None:
        """Let all connections finish their requests, then close in order: the oldest first, within `spread_seconds`."""
        self._drain.begin(spread_seconds)

    def abort(self) -> None:
        """Reset every connection."""
        self._drain.stop()
        for connection in tuple(self.connections):
            connection.abort(CloseReason.ABORTED)
        if self._turning_away is not None:
            self._turning_away.abort()

    def drain_no_more(self) -> None:
        """Cancel the drain for connections that have not been told to finish yet."""
        self._drain.cancel()
