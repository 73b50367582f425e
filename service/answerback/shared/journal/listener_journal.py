"""The journal of one listener in one worker."""

from collections.abc import Callable, Sequence
from typing import Final

from answerback.core.actions import Action
from answerback.core.plan import Event, Rule
from answerback.core.recorder import Recorded
from answerback.core.reply_cache import CachedReply
from answerback.shared.journal.layout import (
    CONNECTION_CLIENT,
    CONNECTION_LISTENER,
    CONNECTION_OF,
    FIXED_OPEN,
    NO_RULE,
    SLOT_BYTES,
)
from answerback.shared.journal.recorder import RUN_IN_PROGRESS, ConnectionRecorder
from answerback.shared.journal.region import JournalRegion

new: Final = object.__new__
MAX_CLIENTS: Final = 256  # whose part of the records is remembered


class ListenerJournal:
    """The journal of one listener in one worker. It stands in for a connection's recorder until its first request."""

    __slots__ = ("_body_bytes", "_note", "_ring", "_slot", "clients", "prefix", "region")

    def __init__(
        self,
        region: JournalRegion,
        block: int,
        body_bytes: int | None,
        process: int,
        slot: int,
        note: Callable[[bytes, Recorded], bytes] = lambda _request, _session: b"",
    ) -> None:
        """`block`: where the listener is counted. `body_bytes`: kept of each body; None as for all listeners.

        `note`: what is noted of a request that no rule matched.
        """
        self.region = region
        self._ring = region.exchanges
        self.prefix = CONNECTION_LISTENER.pack(process, block)
        self.clients: dict[str, bytes] = {}
        """The part of the records of each client that has connected lately."""
        self._body_bytes = body_bytes
        self._slot = slot
        self._note = note

    @property
    def body_bytes(self) -> int:
        """The bytes kept of each body."""
        own = self._body_bytes
        return self.region.body_bytes if own is None else min(own, self.region.longest_body)

    def note(self, request: bytes, number: int, session: Recorded) -> bytes:
        """Return why no rule matched this request."""
        context = session.context
        context.request, context.number = request, number
        return self._note(request, session)[: self.region.exchanges.longest // 8]

    def client(self, host: str) -> bytes:
        """Return the part of the records of a client with this address."""
        if len(self.clients) >= MAX_CLIENTS:
            self.clients.clear()
        address = host.partition("%")[0].encode("ascii", "replace")
        packed = self.clients[host] = CONNECTION_CLIENT.pack(self._slot, address)
        return packed

    def connection(self, session: Recorded) -> ConnectionRecorder:
        """Begin to record a connection."""
        connection = session.connection
        assert connection is not None, "the connection is gone"
        number, host, port = connection.connection_key()  # to pass them on as `*` takes twice as long
        session.recorder = recorder = self.recorder(number, host, port)
        return recorder

    def recorder(self, number: int, host: str, port: int) -> ConnectionRecorder:
        """Return a recorder for the connection with this number and client."""
        recorder = new(ConnectionRecorder)
        recorder.journal = self
        recorder.ring = self._ring
        try:
            client = self.clients[host]
        except KeyError:
            client = self.client(host)
        recorder.key = CONNECTION_OF.pack(self.prefix, number, port, client)
        recorder.first, recorder.last = 1, 0
        recorder.begun = recorder.open = recorder.outer = recorder.owed = None
        return recorder

    def repeated(self, cached: CachedReply, data: bytes, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`. The first requests of most connections: what the recorder would do is inline."""
        connection = session.connection
        assert connection is not None, "the connection is gone"
        drawn, host, port = connection.connection_key()
        session.recorder = recorder = self.recorder(drawn, host, port)
        ring, count, position = self._ring, cached.requests, cached.position
        if position < ring.fresh or ring.room < count:
            recorder.repeated(cached, data, number, now, session)
            return
        sequence = ring.next
        at = ring.records_at + sequence % ring.slots * SLOT_BYTES
        FIXED_OPEN.pack_into(
            ring.buffer, at, recorder.key, now, RUN_IN_PROGRESS, number, position, count, NO_RULE, sequence
        )
        ring.next = sequence + 1
        ring.room -= count
        recorder.first = recorder.last = sequence

    def matched(self, request: bytes, rule: Rule | None, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.connection(session).matched(request, rule, number, now, session)

    def event(self, event: Event, rule: Rule, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        connection = session.connection
        assert connection is not None, "the connection is gone"
        session.recorder = recorder = self.recorder(*connection.connection_key())
        recorder.begin(event, rule, now)

    def forwarded(self, *, owed: bool) -> None:
        """See `Recorder`: nothing is in progress."""

    def replied(self, request: object, seconds: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def unanswered(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def interrupted(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def continued(self) -> None:
        """See `Recorder`: nothing is in progress."""

    def delayed(self, seconds: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def applied(self, faults: tuple[int, ...]) -> None:
        """See `Recorder`: nothing is in progress."""

    def suspended(self, actions: Sequence[Action], first: int) -> None:
        """See `Recorder`: nothing is in progress."""

    def played(self, actions: Sequence[Action], first: int) -> None:
        """See `Recorder`: nothing is in progress."""

    def flushed(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def over(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""
