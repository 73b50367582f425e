"""A relayed connection: the client's side, the upstream's side, and `core.relay`, which decides what passes.

The engine decides what the sides are: sockets in our epoll (CALLBACK), or transports (COROUTINE). In both a coroutine
connects to the upstream.
"""

import logging
import socket
from collections.abc import Sequence
from math import inf
from time import monotonic

from answerback.compat import override
from answerback.core.actions import Abort, CloseReason
from answerback.core.context import RequestContext
from answerback.core.relay import PEER, UPSTREAM, Act, Connect, Finish, Pass, Relay
from answerback.core.tls import TlsNames
from answerback.core.upstream import Upstream
from answerback.net.connection import PROBE_REASONS
from answerback.net.connection_base import ConnectionBase
from answerback.net.host import Host
from answerback.net.relay.awaited_client import AwaitedClient
from answerback.net.relay.opening import Opening
from answerback.net.relay.relaying import Relaying
from answerback.net.relay.secure_side import SecureSide
from answerback.net.relay.side import Side
from answerback.net.relay.sides import LOST, NAMES, accepted_socket, sides_of
from answerback.net.resets import reason_of
from answerback.shared.journal.listener_journal import ListenerJournal

# Rule: the end is counted once, whatever ends the connection.

log = logging.getLogger(__name__)


class RelayedConnection(ConnectionBase):
    """One connection of a listener with an upstream. See `served.Served`."""

    __slots__ = (
        "_journal",
        "_opening",
        "_upstream",
        "counted_peer",
        "is_local",
        "received_bytes",
        "relay",
        "relaying",
        "sent_bytes",
        "sides",
        "timer_at",
        "timer_key",
    )

    def __init__(
        self, host: Host, upstream: Upstream, relaying: Relaying, descriptor: int, family: int, peer: bytes | None
    ) -> None:
        """`descriptor` was just accepted; `peer` is its packed address if it counts towards a limit."""
        self.host = host
        self.relaying = relaying
        self._upstream = upstream
        self._drawn = 0  # no expression can ask for it: a relay has no rules
        self._wait = 0
        self.relay = self._make_relay()
        self.received_bytes = 0
        self.sent_bytes = 0
        self.timer_key: int | None = None
        self.timer_at = inf
        self.counters = host.counters
        self.counted_peer = peer
        self._journal = host.journal
        self.address = None
        self.number = 0
        self._opening: Opening | None = None
        self.announcement = None
        self.is_local = False  # whether the client is a proxy that connects on its own behalf
        self._packed_peer = None
        self.sides = sides_of(self, upstream)
        self.sides[PEER].take(accepted_socket(host.active.plan.engine, family, descriptor))

    def _make_relay(self) -> Relay:
        """Return the state of the connection, which decides what passes."""
        return Relay(self.host.active, monotonic(), self._make_context)

    def begin(self) -> None:
        """Connect to the upstream, once the client is known."""
        self._keep_deadline()
        self._opening = Opening(self, self._upstream, AwaitedClient.of(self))

    async def open_sides(self) -> None:
        """The upstream is connected: open the sides that are not open yet. Raises OSError."""
        client = None if self._opening is None else self._opening.client
        for side in self.sides if client is None else self.sides[UPSTREAM:]:
            await side.open()

    def opened(self) -> None:
        """Both sides are connected: relay."""
        if not self.relay.over:
            opening, self._opening = self._opening, None
            self._perform(self.relay.connected(monotonic()))
            if opening is not None and opening.client is not None:
                opening.client.deliver(monotonic())
            self.follow()

    def not_connected(self, error: str) -> None:
        """The upstream cannot be reached, for this reason."""
        self.follow(self.relay.not_connected(error, monotonic()))

    # ── See `served.Served` ───────────────────────────────────────────────────────────────────────────────────────

    @property
    @override
    def sock(self) -> socket.SocketType:
        return self.sides[PEER].sock

    @property
    def tls(self) -> TlsNames | None:
        """What the client said in its handshake; None without TLS."""
        side = self.sides[PEER]
        return side.channel if isinstance(side, SecureSide) else None

    @property
    def born(self) -> float:
        """When it was accepted."""
        return self.relay.born

    @property
    def requests(self) -> int:
        """Nothing that is relayed is split into requests."""
        return 0

    @property
    def state(self) -> str:
        """How far its end has come, as `ConnectionService` names it."""
        return self.relay.state

    @property
    def waits_for(self) -> str:
        """What has to happen next, as `ConnectionService` names it."""
        awaited = self._awaited
        return self.relay.waits_for if awaited is None else awaited.waits_for

    @property
    def rule_state(self) -> str:
        """There are no rules."""
        return ""

    @property
    def finished(self) -> bool:
        """Whether the connection is over."""
        return self.relay.over

    def run_turn(self) -> None:
        """Only its sides have turns."""

    def record(self, journal: ListenerJournal | None, now: float) -> None:  # noqa: ARG002 - nothing is in progress
        """Record the end in this journal, or not at all."""
        self._journal = journal

    def draw_number(self) -> None:
        """No expression can ask for it: a relay has no rules."""

    @override
    def serve_uncounted(self, host: Host) -> None:
        super().serve_uncounted(host)
        self._journal, self.is_local = None, True

    @property
    def _awaited(self) -> AwaitedClient | None:
        """The client, until it is known."""
        return None if self._opening is None else self._opening.client

    def drain_after_first_request(self) -> None:
        """See `Served`."""

    def drain(self) -> None:
        """Close in order as soon as nothing is on its way."""
        if self._awaited is not None:
            self._awaited.drain()
        self.follow(self.relay.drain(monotonic()))

    def close_in_order(self) -> None:
        """Close in order now, with what is held."""
        if self._awaited is None or not self._awaited.close_in_order():
            self.follow(self.relay.close_in_order(monotonic()))

    def abort(self, reason: CloseReason) -> None:
        """Reset both sides now."""
        self._perform(self.relay.abort(reason))

    def plan_changed(self) -> None:
        """Another plan is active, with other faults."""
        self.follow(self.relay.plan_changed(monotonic()))

    def _make_context(self) -> RequestContext:
        return RequestContext(self.host.name, self, self.counters)

    def wake(self) -> None:
        """A deadline has come."""
        now = monotonic()
        try:
            for side in self.sides:
                if not self.relay.over and not side.on_time(now):
                    timeout = CloseReason.WRITE_TIMEOUT
                    self._perform(self.relay.lost(timeout if side.side == PEER else LOST[timeout]))
            if self._awaited is not None:
                self._awaited.handle_timer(now)
            self.follow(self.relay.handle_timer(now))
        except Exception:
            self.failed()

    # ── What the sides report ─────────────────────────────────────────────────────────────────────────────────────

    def received(self, side: int, data: bytes | memoryview, now: float) -> None:
        """A side has sent bytes."""
        self.count_received(side, len(data))
        if self.relay.direct:
            self.relay.active_at = now
            self.sides[1 - side].send(data)
        else:
            self.take_data(side, data, now)

    def count_received(self, side: int, size: int) -> None:
        """A side has sent bytes."""
        if side == PEER:
            self.received_bytes += size
            self.counters.received(size)
        else:
            self.counters.upstream_received(size)

    def take_data(self, side: int, data: bytes | memoryview, now: float) -> None:
        """Bytes of a side are to be passed on. They are counted already."""
        acts = self.relay.receive_data(side, data, now)
        if self.relay.flowing:
            self.follow(acts)
        else:
            self._perform(acts)

    def received_eof(self, side: int, now: float) -> None:
        """A side has sent FIN."""
        self.take_eof(side, now)

    def take_eof(self, side: int, now: float, *, cut: bool = False) -> None:
        """A side has ended its stream; `cut`: without the end that TLS has."""
        self.follow(self.relay.receive_eof(side, now, cut=cut))

    def sent(self, side: int, size: int) -> None:
        """The kernel has taken bytes for a side."""
        if side == PEER:
            self.sent_bytes += size
            self.counters.sent(size)
        else:
            self.counters.upstream_sent(size)

    def writing_paused(self, side: Side) -> None:
        """The kernel has not taken everything for a side."""
        self.relay.writing_paused(side.side)
        side.expect_delivery(monotonic())
        self.follow()

    def writing_resumed(self, side: Side) -> None:
        """The kernel has taken everything for a side."""
        side.delivery = None
        self.follow(self.relay.writing_resumed(side.side, monotonic()))

    def lost(self, side: int, error: OSError) -> None:
        """A side was reset, or cannot be reached any more."""
        reason = reason_of(error)
        self._perform(self.relay.lost(reason if side == PEER else LOST[reason]))

    def broken(self, side: int, why: str) -> None:
        """A side's records are not valid, or it has sent a fatal alert."""
        log.warning(
            "TLS failed on an open connection, both sides are reset: %s",
            why,
            extra={"listener": self.host.name, "side": NAMES[side]},
        )
        self._perform(self.relay.lost(CloseReason.TLS_ERROR))

    def close_client(self, reason: CloseReason, *, eof: bool = False) -> None:
        """Close the client's side in order, instead of connecting; `eof`: whether it has closed its half."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self.follow(self.relay.close_peer(reason, monotonic(), eof=eof))

    def failed(self) -> None:
        """Handle an exception: log it, and end this connection alone."""
        log.exception(  # noqa: LOG004 - called from handlers alone
            "relaying failed, connection aborted", extra={"listener": self.host.name}
        )
        self.counters.failed()
        self.abort(CloseReason.INTERNAL_ERROR)

    # ── What the relay decides ────────────────────────────────────────────────────────────────────────────────────

    def follow(self, acts: Sequence[Act] = ()) -> None:
        """Do what the relay has decided; then read, and be woken, as it wishes from now on."""
        self._perform(acts)
        self.attend()
        self._keep_deadline()

    def _perform(self, acts: Sequence[Act]) -> None:
        while acts:
            for act in acts:
                kind = type(act)
                if kind is Pass:
                    self.sides[act.side].send(act.data)  # type: ignore[union-attr]  # mypy does not narrow by type(...)
                elif kind is Connect:
                    self._opening = Opening(self, self._upstream, None)
                elif kind is Finish:
                    self.sides[act.side].finish(cut=act.cut)  # type: ignore[union-attr]
                else:
                    self._end(act.reason, reset=kind is Abort)  # type: ignore[union-attr]
            acts = self.relay.next_acts(monotonic()) if self.relay.flowing else ()

    def attend(self) -> None:
        """Read from both sides, or not, as the relay wishes."""
        for side in self.sides:
            side.attend()

    def _keep_deadline(self) -> None:
        """Schedule a wake-up for the next deadline, if it comes before the one that is scheduled."""
        if self.relay.over:
            return
        deadline = self.relay.deadline
        for side in self.sides:
            if side.delivery is not None and side.delivery.check_at < deadline:
                deadline = side.delivery.check_at
        awaited = self._awaited
        if awaited is not None:
            deadline = min(deadline, awaited.deadline)
        if deadline < self.timer_at:
            self.host.deadlines.set(self, deadline)

    def _end(self, reason: CloseReason, *, reset: bool) -> None:
        """Close both sides, and count the end."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self._record_end(reason)
        if self.timer_key is not None:
            self.host.deadlines.clear(self)
        for side in self.sides:
            self.host.run_queue.forget(side)
            side.close(reset=reset)
        self.counters.closed(reason, not self.received_any and reason in PROBE_REASONS)
        self.host.connection_closed(self, self.counted_peer)

    def _record_end(self, reason: CloseReason) -> None:
        if self._journal is None:
            return
        self._journal.recorder(self.connection_number, *self.peer).ended(
            reason, monotonic(), self.relay.born, 0, self.received_bytes, self.sent_bytes
        )
