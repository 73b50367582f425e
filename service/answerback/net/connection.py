"""The common part of the two drivers: one connection of a listener, from accept to close."""

import logging
import socket
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from time import monotonic

from answerback.compat import override
from answerback.core.actions import Abort, Action, Close, CloseReason, Send
from answerback.core.proxy_header import ProxyHeader
from answerback.core.session import HeaderReader, waits_for
from answerback.core.tls import TlsNames
from answerback.net.connection_base import ConnectionBase
from answerback.net.delivery import Delivery, first_check
from answerback.net.departure import Departure
from answerback.net.host import Host
from answerback.net.layers import Layer, layers_of
from answerback.net.resets import pending_error
from answerback.shared.journal.listener_journal import ListenerJournal, last_recorder
from answerback.shared.journal.run_recorder import RunRecorder

# Rule: `closed` is called exactly once for each connection, whatever ends it.

READ_BYTES = 64 << 10
REPLY_AND_END = 2  # actions
# FIN follows at once and takes these bytes along (MSG_MORE, send(2)): a packet less, which takes the kernel 6 µs.
LAST = socket.MSG_DONTWAIT | socket.MSG_MORE
SEVERAL = 2  # max. requests: their replies together may be large
PROBE_REASONS = (CloseReason.PEER_EOF, CloseReason.PEER_RESET)

log = logging.getLogger(__name__)


class Connection(ConnectionBase):
    """A connection and its session. A subclass (driver) implements input and output."""

    __slots__ = (
        "_ending",
        "counted_peer",
        "delivery",
        "received_bytes",
        "sent_bytes",
        "session",
        "sock",
        "timer_at",
        "timer_key",
    )

    sock: socket.SocketType

    def __init__(self, host: Host, sock: socket.SocketType, peer: bytes | None) -> None:
        """`sock` was just accepted; `peer` is its packed address if it counts towards a limit."""
        self.host = host
        self.sock = sock
        self.address = None
        self.counted_peer = peer
        self.counters = host.counters
        self.announcement = None
        self.session: Layer = layers_of(self)
        self.delivery: Delivery | None = None  # None before the first check of what the peer takes
        self._wait = 0
        self.number = 0
        self._drawn = None
        self._packed_peer = None
        self.received_bytes = 0
        self.sent_bytes = 0
        self._ending: Action | Departure | None = None  # how to end once the kernel has taken everything
        self.timer_key: int | None = None
        self.timer_at = inf

    def draw_number(self) -> None:
        """Draw `listener_number` now, in the order of accept, if the listener's rules use it."""
        if self.host.active.plan.numbers_connections:
            self.listener_number  # noqa: B018 - it is drawn when it is read

    @override
    def serve_uncounted(self, host: Host) -> None:
        super().serve_uncounted(host)
        self.session.uncount(host.counters)

    @property
    def tls(self) -> TlsNames | None:
        """See `context.ConnectionInfo`."""
        return self.session.tls

    def await_signal(self, name: str, /) -> None:
        """Wait for a signal."""
        self._wait = self.host.signals.wait(name, self)

    def step_to(self, layer: Layer) -> None:
        """See `AwaitedConnection`."""
        self.session = layer

    def announced(self, header: ProxyHeader | None, rest: bytes, now: float, *, fin: bool) -> Sequence[Action]:
        """See `AwaitedConnection`."""
        announcing = self.host.announcing
        assert announcing is not None, "its listener has `proxy_protocol`"
        return announcing.announced(self, header, rest, now, fin=fin)

    def drain_soon(self) -> None:
        """See `AwaitedConnection`."""
        self.host.loop.call_soon(self.drain)

    def keep_deadline(self, deadline: float | None = None) -> None:
        """Schedule a wake-up for the session's deadline, and to check what the peer has read.

        `deadline`: the session's, if it was read just now.
        """
        if deadline is None:
            deadline = self.session.deadline
        if self.delivery is not None or deadline > self.session.born + self.host.active.plan.limits.write_timeout:
            deadline = min(deadline, self.check_at)  # a first check does not come before that
        if deadline < self.timer_at:
            self.host.deadlines.set(self, deadline)

    def closed(self, reason: CloseReason) -> None:
        """The socket is closed, or will be before anything else happens: update the counters."""
        session = self.session
        recorder = session.recorder
        if recorder is not None:
            if type(recorder) is not RunRecorder:
                recorder = last_recorder(recorder, self)
            recorder.ended(
                reason, monotonic(), session.born, session.conversation.number, self.received_bytes, self.sent_bytes
            )
        if self.timer_key is not None:
            self.host.deadlines.clear(self)
        if self._wait:
            self.forgo_signal()
        self.host.run_queue.heavy.discard(self)
        self.counters.closed(reason, reason in PROBE_REASONS and not self.received_any)
        self.host.connection_closed(self, self.counted_peer)

    # ── What a listener needs of it: see `served` ─────────────────────────────────────────────────────────────────────

    @property
    def born(self) -> float:
        """When it was accepted."""
        return self.session.born

    @property
    def requests(self) -> int:
        """The number of its requests."""
        return self.session.number

    @property
    def state(self) -> str:
        """How far its end has come, as `ConnectionService` names it."""
        session = self.session
        return "HALF_CLOSED" if session.half_closed else "CLOSING" if session.awaits_fin or session.over else "OPEN"

    @property
    def rule_state(self) -> str:
        """The state that rules have set."""
        return self.session.conversation.state

    def record(self, journal: ListenerJournal | None, now: float) -> None:
        """Record in this journal from now on, or not at all."""
        if self.session.recorder is not None:
            self.session.recorder.over(now)
        self.session.recorder = journal

    # ── What the peer has taken ───────────────────────────────────────────────────────────────────────────────────

    @property
    def waits_for(self) -> str:
        """What has to happen next, as `ConnectionService` names it."""
        if isinstance(self.session, HeaderReader):
            return "proxy_header"
        return "fin" if self.departing else waits_for(self.session)

    @property
    @abstractmethod
    def unsent(self) -> int:
        """Return the bytes that the kernel has not taken."""

    @property
    def write_timeout(self) -> float:
        """Within which the peer has to take a part of the output."""
        return self.host.active.plan.limits.write_timeout

    @property
    def check_at(self) -> float:
        """When to check next whether the peer takes the output."""
        delivery = self.delivery
        return first_check(self.session.born + self.write_timeout) if delivery is None else delivery.check_at

    @property
    def has_goal(self) -> bool:
        """Whether the peer has to take something until the next check."""
        return self.delivery is not None and self.delivery.goal is not None

    def sent_much(self, now: float) -> None:
        """Start timing how the peer reads a large output, unless it is being timed already."""
        if self.delivery is None or self.delivery.reached(self):
            self.expect_delivery(now)
            self.keep_deadline()

    @property
    def active_at(self) -> float:
        """When bytes last came from the peer, or a reply ended."""
        return self.session.active_at

    def writing_progressed(self, now: float) -> None:
        """The peer has taken enough output for its timeout to start again."""
        self.session.writing_progressed(now)

    def on_time(self, now: float) -> bool:
        """Whether the peer reads in time; if not, the connection has been reset."""
        if now < self.check_at:
            return True
        delivery = self.delivery
        if delivery is None or delivery.reached(self) or delivery.excused(self):
            self.expect_delivery(now)
            return True
        self.abort(CloseReason.WRITE_TIMEOUT)
        return False

    def expect_delivery(self, now: float) -> None:
        """The peer is on time: set what it has to take next."""
        if self.delivery is None:
            self.delivery = Delivery()
        self.delivery.proceed(self, now)

    @property
    def departing(self) -> bool:
        """Whether the conversation is over and only the socket is open: see `departure`."""
        return type(self._ending) is Departure

    def depart(self, ending: Close) -> bool:
        """Keep the socket open until the peer has taken everything; False if it can be closed at once.

        A peer that got one small reply is not checked: the kernel takes care of that by `TCP_USER_TIMEOUT`.
        """
        if (self.delivery is None or self.delivery.goal is None) and self.session.conversation.number < SEVERAL:
            return False
        departure = Departure(ending.reason)
        if not departure.is_awaited(self):
            return False
        self._send_fin()
        self._ending = departure
        departure.begin(self)
        return True

    def departs(self) -> CloseReason | None:
        """The close reason of a departing connection that can be closed now; None if it still waits or was reset."""
        departure = self._ending
        assert type(departure) is Departure
        return departure.check(self)

    def _send_fin(self) -> None:
        """Close our half, unless that has been requested already."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def error(self) -> OSError | None:
        """Return the socket's pending error, the peer's RST for example."""
        return pending_error(self.sock)

    def failed(self) -> None:
        """Handle an exception from the session: log it, and end this connection alone."""
        log.exception(  # noqa: LOG004 - called from the drivers' handlers alone
            "session failed, connection aborted", extra={"listener": self.host.name}
        )
        self.counters.failed()
        self.abort(CloseReason.INTERNAL_ERROR)

    def _gather(self, actions: Sequence[Action]) -> bytes | memoryview | list[bytes | memoryview]:
        """Return the output, joined unless a part is large; note how it ends, or do it if it cannot wait."""
        chunks: list[bytes | memoryview] = []
        for action in actions:
            if type(action) is Send:
                chunks.append(action.data)
            elif type(action) is Abort:
                self.abort(action.reason)
                return b""
            else:
                self._ending = action
        if len(chunks) == 1:
            return chunks[0]
        return chunks if memoryview in map(type, chunks) else b"".join(chunks)

    @abstractmethod
    def begin(self) -> None:
        """Start the conversation."""

    def wake(self) -> None:
        """The session's deadline has come, or is near: handle it, or queue for a turn."""
        run_queue = self.host.run_queue
        if run_queue.exhausted:
            run_queue.add(self)
            return
        began = monotonic()
        self.keep_time()
        now = monotonic()
        run_queue.charge(self, now - began, now)

    @abstractmethod
    def keep_time(self) -> None:
        """Tell the session that its deadline has come, or is near."""

    @abstractmethod
    def ready(self, events: int) -> None:
        """These events (see `poller`) have occurred on the socket."""

    def enqueue(self) -> None:
        """Events have occurred: handle them in a turn of this connection."""
        self.host.run_queue.add(self)

    @property
    def finished(self) -> bool:
        """Whether the conversation is over."""
        return self.session.over

    @abstractmethod
    def run_turn(self) -> None:
        """Work for one turn."""

    def drain_after_first_request(self) -> None:
        """See `Served`."""
        self.session.drain_after_first_request()

    @abstractmethod
    def drain(self) -> None:
        """Finish the request in progress, then close in order."""

    def close_in_order(self) -> None:
        """Close in order, when the request in progress is finished."""
        self.drain()

    @abstractmethod
    def abort(self, reason: CloseReason) -> None:
        """Reset the connection now."""
