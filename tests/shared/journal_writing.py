"""The journal's rings with a writer that records made-up exchanges."""

from answerback.core.plan import JournalBounds
from answerback.shared.counters import SharedCounters
from answerback.shared.journal.layout import CONNECTION, Kind, State
from answerback.shared.journal.records import Record
from answerback.shared.journal.region import JournalRegion, run_payload
from answerback.shared.journal.ring_reader import RingReader
from answerback.shared.listener_counters import JOURNAL_DROPPED, Dropped, ListenerCounters

BLOCK = 0  # the listener's
OTHER = 200
SMALL = JournalBounds(entries=40, bytes=1 << 20)


class Writing:
    """A region of shared memory, its writer, and what was recorded so far."""

    def __init__(self, bounds: JournalBounds = SMALL) -> None:
        self.counters = SharedCounters.create(2)
        self.cells = self.counters.region(0)
        self.region = JournalRegion(self.counters.journal, 0, self.cells)
        self.region.configure(bounds)
        self.reader = RingReader(self.counters.journal.region(0), 0)
        self.recorded = 0

    def exchange(self, request: bytes, reply: bytes = b"", *, listener: int = BLOCK, time: float = 1.0) -> int:
        ring = self.region.exchanges
        payload = ring.store(request + reply)
        ListenerCounters(self.cells, listener).unmatched(1)
        self.recorded += 1
        at = payload + len(request)
        rest = (len(request), len(request), at, len(reply), len(reply), 0, 0, 0, 0, 0, 0, 0, 0)
        key = CONNECTION.pack(7, listener, 1, 4000, 0, b"192.0.2.1")
        return ring.append(
            key, time, state=State.IN_PROGRESS, kind=Kind.EXCHANGE, number=self.recorded, payload=payload, rest=rest
        )

    def run(self, count: int, payload: int = -1, *, time: float = 1.0) -> int:
        """Record a read of `count` requests that was answered from the cache; return the payload's position."""
        ring = self.region.exchanges
        if payload < ring.fresh:
            payload = ring.store(run_payload([(b"PING", 4)] * count, 5, b"+PONG", 5, b""))
        ListenerCounters(self.cells, BLOCK).unmatched(count)
        key = CONNECTION.pack(7, BLOCK, 1, 4000, 0, b"192.0.2.1")
        ring.append(key, time, state=State.DONE, kind=Kind.RUN, number=1, payload=payload, count=count)
        self.recorded += count
        return payload

    def kept(self, after: int = 0) -> list[Record]:
        return [record for chunk in self.reader.read(after) for record in chunk]

    def requests(self) -> list[bytes]:
        return [record.request for record in self.kept()]

    def dropped(self, reason: Dropped = Dropped.EVICTED, listener: int = BLOCK) -> int:
        return int(self.cells[listener + JOURNAL_DROPPED + reason])
