"""The journal of one listener in one worker."""

from collections.abc import Callable
from typing import Final

from answerback.core.context import SessionConnection
from answerback.core.plan import Event, Rule
from answerback.core.recorder import Recorded, Recorder
from answerback.core.reply_cache import CachedReply
from answerback.shared.journal.layout import (
    CONNECTION_CLIENT,
    CONNECTION_LISTENER,
    CONNECTION_OF,
)
from answerback.shared.journal.recorder import ConnectionRecorder
from answerback.shared.journal.region import JournalRegion
from answerback.shared.journal.run_recorder import NothingPlayed, RunRecorder

MAX_CLIENTS: Final = 256  # whose part of the records is remembered


class ListenerJournal(NothingPlayed):
    """The journal of one listener in one worker.

    It stands in for the recorder of a connection whose client is not known yet, or which was accepted before.
    """

    __slots__ = ("_body_bytes", "_note", "_ring", "_slot", "clients", "events", "prefix", "region")

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
        self.events = region.events
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

    def accepted(self, number: int, address: object) -> RunRecorder:
        """Return what records a connection that was accepted just now, from its number and its client's address."""
        recorder = RunRecorder()
        recorder.journal = self
        recorder.ring = self._ring
        host, port = (address[0], address[1]) if type(address) is tuple else ("", 0)
        recorder.key = CONNECTION_OF.pack(self.prefix, number, port, self.clients.get(host) or self.client(host))
        recorder.first, recorder.last = 1, 0
        return recorder

    def connection(self, session: Recorded) -> ConnectionRecorder:
        """Begin to record a connection."""
        connection = session.connection
        assert connection is not None, "the connection is gone"
        session.recorder = recorder = self.recorder(*connection.connection_key())
        return recorder

    def recorder(self, number: int, host: str, port: int) -> ConnectionRecorder:
        """Return a recorder for the connection with this number and client."""
        return self.whole(self.accepted(number, (host, port)))

    def whole(self, former: RunRecorder) -> ConnectionRecorder:
        """Return a recorder that goes on where one of runs cannot."""
        recorder = ConnectionRecorder()
        recorder.journal = self
        recorder.ring = former.ring
        recorder.key = former.key
        recorder.first, recorder.last = former.first, former.last
        recorder.begun = recorder.open = recorder.outer = recorder.owed = None
        return recorder

    def repeated(self, cached: CachedReply, data: bytes, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.connection(session).repeated(cached, data, number, now, session)

    def matched(self, request: bytes, rule: Rule | None, number: int, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.connection(session).matched(request, rule, number, now, session)

    def event(self, event: Event, rule: Rule, now: float, session: Recorded) -> None:
        """See `Recorder`."""
        self.connection(session).event(event, rule, now, session)

    def flushed(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""

    def over(self, now: float) -> None:
        """See `Recorder`: nothing is in progress."""


def last_recorder(recorder: Recorder, connection: SessionConnection) -> RunRecorder:
    """Return what records the end of a connection, whose session has this recorder."""
    if isinstance(recorder, RunRecorder):
        return recorder
    assert isinstance(recorder, ListenerJournal)
    return recorder.recorder(*connection.connection_key())  # it has sent no request
