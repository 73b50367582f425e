"""A region with its two rings, and their places in it, which follow the configured bounds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import Final

from answerback.core.plan import JournalBounds
from answerback.shared.journal.layout import (
    GENERATION,
    HEADER_BYTES,
    MAX_FAULTS,
    RUN_HEAD,
    RUN_REQUEST,
    SLOT_BYTES,
    JournalMemory,
    Kind,
    State,
    region_bytes,
)
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring import NOTHING_MORE, Ring
from answerback.shared.journal.ring_reader import EVENTS, EXCHANGES, RingReader
from answerback.shared.listener_counters import JOURNAL_OFF, Cells, Dropped, count_dropped, unrecorded

# Rule: bounds change rarely: then the records are read and written again, within one turn of the event loop.

INDEX_SHARE: Final = 4  # a ring's index takes at most this part of its memory
EVENTS_SHARE: Final = 8  # the part of a region that events have
LEAST_BYTES: Final = 64 << 10  # of a region: less could hold no record with its payload


@dataclass(frozen=True, slots=True)
class _Place:
    slots_at: int
    slots: int
    payload_at: int
    capacity: int
    bound: int


class JournalRegion:
    """The two rings of a region, for their writer."""

    def __init__(self, memory: JournalMemory, number: int, counters: Cells) -> None:
        """Continue what an earlier writer has left. `counters`: where the same worker counts."""
        self._counters = counters
        count = partial(count_dropped, counters)
        self._memory = memory
        self._number = number
        self.buffer = memory.region(number)
        self._cells = self.buffer[:HEADER_BYTES].cast("Q")
        self.exchanges = Ring(self.buffer, EXCHANGES, count)
        self.events = Ring(self.buffer, EVENTS, None)
        self.body_bytes = self.longest_body = 0  # kept of each body, and at most
        if self._cells[GENERATION] % 2:  # the former writer died while it moved the rings
            self._move(*(_of(ring) for ring in (self.exchanges, self.events)), keep=False)

    def configure(self, share: JournalBounds) -> None:
        """Keep at most this much; the oldest records beyond it are dropped."""
        most = region_bytes(self._memory.regions)
        total = min(max(share.bytes, LEAST_BYTES), most) - HEADER_BYTES
        events = total // EVENTS_SHARE // 8 * 8
        places = (
            _within(HEADER_BYTES, total - events, share.entries),
            _within(HEADER_BYTES + total - events, events, share.entries),
        )
        if places != (_of(self.exchanges), _of(self.events)):
            self._move(*places, keep=True)
        self.longest_body = self.exchanges.longest * 3 // 8
        self.body_bytes = min(share.body_bytes, self.longest_body)

    def switch(self, listener: int, now: float, *, on: bool) -> None:
        """Begin or stop to record the requests of the listener with this block."""
        off = listener + JOURNAL_OFF
        if on and self._counters[off]:
            missing = unrecorded(self._counters, listener, self.entries().get(listener, 0))
            self._counters[off] = 0
            if missing:
                count_dropped(self._counters, listener, Dropped.DISABLED, missing, now)
        elif not on:
            self._counters[off] = 1

    def entries(self) -> Mapping[int, int]:
        """Return how many requests are recorded of each listener, by its block."""
        counts: Counter[int] = Counter()
        for listener, number in self.exchanges.live():
            counts[listener] += number
        return counts

    def clear(self, listener: int | None, now: float) -> int:
        """Remove all records, or those of the listener with this block; return how many exchanges that were."""
        self.events.clear(listener, now)
        return self.exchanges.clear(listener, now)

    def _move(self, exchanges: _Place, events: _Place, *, keep: bool) -> None:
        kept: list[tuple[Ring, _Place, list[Record]]] = []
        for ring, first, place in ((self.exchanges, EXCHANGES, exchanges), (self.events, EVENTS, events)):
            reader = RingReader(self.buffer, self._number, first)
            records = [record for chunk in reader.read() for record in chunk] if keep and ring.slots else []
            kept.append((ring, place, records))
        if keep:
            self._cells[GENERATION] += 1
        for ring, place, _ in kept:
            ring.place(place.slots_at, place.slots, place.payload_at, place.capacity, place.bound)
        self._memory.release(self._number, HEADER_BYTES)
        for ring, _, records in kept:
            _put_back(ring, records)
        self._cells[GENERATION] += 1


def _within(start: int, size: int, entries: int) -> _Place:
    slots = max(1, min(entries, size // INDEX_SHARE // SLOT_BYTES))
    index = slots * SLOT_BYTES
    return _Place(start, slots, start + index, size - index, slots)


def _of(ring: Ring) -> _Place:
    return _Place(ring.slots_at, ring.slots, ring.payload_at, ring.capacity, ring.bound)


def run_payload(
    requests: Sequence[tuple[bytes, int]], rule: int, reply: bytes | memoryview, reply_size: int, note: bytes
) -> bytes:
    """Return the payload of a RUN: kept bytes and size of each request, and of the reply to each."""
    head = RUN_HEAD.pack(len(requests), rule, len(reply), reply_size, len(note))
    sizes = b"".join(RUN_REQUEST.pack(len(kept), size) for kept, size in requests)
    return b"".join((head, sizes, *(kept for kept, _ in requests), reply, note))


def _put_back(ring: Ring, records: list[Record]) -> None:
    """Append records again, with their sequence numbers."""
    if not records:
        return
    end = ring.next
    ring.restart_at(records[0].sequence)
    former, position = None, -1
    for sequence, group in groupby(records, attrgetter("sequence")):
        same = list(group)
        record = same[0]
        _fill_to(ring, sequence)
        if record.kind == Kind.RUN:
            content = [(each.request, each.request_size) for each in same], record.rule, record.reply
            if content != former or position < ring.fresh:
                former, position = content, ring.store(run_payload(*content, record.reply_size, record.note))
            rest: tuple[float, ...] = NOTHING_MORE
        elif record.kind == Kind.END:
            position, rest = ring.head, (record.request_size, record.reply_size)
        else:
            body = ring.longest // 2 - ring.longest // 8
            request, reply = record.request[:body], record.reply[:body]
            note = record.note[: ring.longest // 8]
            payload = position = ring.store(b"".join((request, reply, note)))
            former = None
            faults = (*record.faults, 0, 0, 0, 0)[:MAX_FAULTS]
            rest = (
                len(request), record.request_size, payload + len(request), record.reply_size, len(reply),
                len(record.faults), *faults, payload + len(request) + len(reply), len(note),
                record.upstream,
            )  # fmt: skip
        ring.append(
            record.connection,
            record.time,
            state=State(record.state),
            kind=Kind(record.kind),
            number=record.number,
            payload=position,
            count=len(same),
            rule=record.rule,
            delayed=record.delayed,
            finished=record.finished,
            rest=rest,
            sequence=record.sequence,
        )
    _fill_to(ring, end)


def _fill_to(ring: Ring, sequence: int) -> None:
    """Append cleared records up to this number, for those that were cleared: live sequence numbers have no gaps."""
    while ring.next < sequence:
        ring.append(b"", 0.0, state=State.CLEARED, kind=Kind.EXCHANGE, number=0, payload=ring.head)
