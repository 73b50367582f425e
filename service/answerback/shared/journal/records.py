"""Reads records from a region, while its writer goes on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from answerback.shared.journal.layout import (
    BOUND,
    CAPACITY,
    CONNECTION,
    COUNT,
    FIXED,
    GENERATION,
    HEADER_BYTES,
    PAYLOAD_AT,
    REST,
    REST_AT,
    RING_CELLS,
    RUN_HEAD,
    RUN_REQUEST,
    SEQUENCE_CELL,
    SLOT_BYTES,
    SLOT_CELLS,
    SLOTS,
    SLOTS_AT,
    STATE_AT,
    TAIL,
    Kind,
    State,
)

# Rule: what was read counts only if the record is still live afterwards: until then nothing of it is overwritten.

EXCHANGES: Final = 0
EVENTS: Final = RING_CELLS
AT_ONCE: Final = 256  # records read before it is checked whether they are still live


@dataclass(frozen=True, slots=True)
class ConnectionKey:
    """The connection of a record."""

    process: int
    listener: int
    """The listener's block."""
    number: int
    port: int
    slot: int
    """The index of the worker."""
    host: str

    @property
    def id(self) -> str:
        """The connection's id, as in templates."""
        return f"{self.process}-{self.number}"

    @property
    def peer(self) -> str:
        """The client's address with its port; empty on a Unix socket."""
        if not self.host:
            return ""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record; of a RUN, one of its requests. Times are seconds of the monotonic clock."""

    region: int
    sequence: int
    index: int
    """Which request of its slot it is."""
    kind: int
    connection: bytes
    time: float
    state: int
    number: int
    """The number of the request on its connection; of an event, what happened."""
    rule: int
    request: bytes
    request_size: int
    """In bytes; of a connection's end, the bytes that it received. `reply_size`: the bytes that it sent."""
    reply: bytes
    reply_size: int
    delayed: float = 0.0
    finished: float = 0.0
    faults: tuple[int, ...] = ()
    note: bytes = b""

    @property
    def position(self) -> tuple[float, int, int, int]:
        """The sort key: time, then region, sequence number and place in it."""
        return self.time, self.region, self.sequence, self.index

    @property
    def key(self) -> ConnectionKey:
        """The connection."""
        process, listener, number, port, slot, host = CONNECTION.unpack(self.connection)
        return ConnectionKey(process, listener, number, port, slot, host.rstrip(b"\0").decode("ascii", "replace"))

    @property
    def listener(self) -> int:
        """The listener's block."""
        return int.from_bytes(self.connection[4:8], "little")


class Moving(Exception):
    """The rings are being moved, because their bounds have changed: try again in a moment."""


class RingReader:
    """Reads one ring of a region; `first` is EXCHANGES or EVENTS."""

    def __init__(self, region: memoryview, number: int, first: int = EXCHANGES) -> None:
        self._region = region
        self._number = number
        self._cells = region[:HEADER_BYTES].cast("Q")
        self._first = first

    def newest(self) -> int:
        """Return the newest sequence number; 0 if there was no record so far. Raises Moving."""
        return self._shape().newest()

    def grown(self, after: int) -> bool:
        """Whether there are records behind this sequence number. Raises Moving."""
        return after + 1 < self._tail() or self._shape().has(after + 1)

    def read(self, after: int = 0) -> Iterator[list[Record]]:
        """Yield the live records behind a sequence number, in chunks, oldest first. Raises Moving."""
        shape = self._shape()
        last = shape.newest()
        first = max(after + 1, self._tail())
        while first <= last:
            end = min(first + AT_ONCE, last + 1)
            runs: dict[int, _Run] = {}
            read = [record for sequence in range(first, end) for record in shape.records(sequence, runs)]
            if shape.generation != self._cells[GENERATION]:
                raise Moving
            tail = self._tail()
            yield read if not read or read[0].sequence >= tail else [each for each in read if each.sequence >= tail]
            first = max(end, tail)

    def at(self, sequence: int) -> list[Record]:
        """Return one record, or the requests of a RUN; empty if it is not kept. Raises Moving."""
        if sequence < self._tail():
            return []
        shape = self._shape()
        records = list(shape.records(sequence, {}))
        if shape.generation != self._cells[GENERATION]:
            raise Moving
        return records if sequence >= self._tail() else []

    def in_progress(self, sequence: int) -> bool:
        """Whether a record is kept and not complete: cheaper than to read it. Raises Moving."""
        return sequence >= self._tail() and self._shape().state(sequence) == State.IN_PROGRESS

    def counts(self) -> Mapping[int, int]:
        """Return how many entries are kept of each listener, by its block."""
        shape = self._shape()
        counts: dict[int, int] = {}
        tail = self._tail()
        for listener, state, number, sequence in COUNT.iter_unpack(shape.index()):
            if sequence >= tail and state != State.CLEARED:
                counts[listener] = counts.get(listener, 0) + number
        return counts

    def _tail(self) -> int:
        return int(self._cells[self._first + TAIL])

    def _shape(self) -> "_Shape":
        generation = int(self._cells[GENERATION])
        header: Sequence[int] = self._cells[self._first : self._first + RING_CELLS].tolist()
        if generation % 2 or generation != self._cells[GENERATION]:
            raise Moving
        return _Shape(
            self._region,
            self._number,
            generation,
            header[SLOTS_AT],
            header[SLOTS],
            header[PAYLOAD_AT],
            header[CAPACITY],
            header[BOUND],
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """The shared payload of RUN records."""

    requests: Sequence[tuple[bytes, int]]
    """Bytes and size of each request."""
    rule: int
    reply: bytes
    reply_size: int
    note: bytes


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where a ring stands in its region."""

    region: memoryview
    number: int
    generation: int
    slots_at: int
    slots: int
    payload_at: int
    capacity: int
    bound: int

    def index(self) -> memoryview:
        """Return the slots."""
        return self.region[self.slots_at : self.slots_at + self.slots * SLOT_BYTES]

    def has(self, sequence: int) -> bool:
        """Whether this record was written, and not overwritten."""
        if not self.slots:
            return False
        at = self.slots_at + sequence % self.slots * SLOT_BYTES + 8 * SEQUENCE_CELL
        return int.from_bytes(self.region[at : at + 8], "little") == sequence

    def state(self, sequence: int) -> int:
        """Return the state in the slot of this record; that of none if there are no slots."""
        return self.region[self.slots_at + sequence % self.slots * SLOT_BYTES + STATE_AT] if self.slots else -1

    def newest(self) -> int:
        """Return the newest sequence number."""
        return max(self.index().cast("Q")[SEQUENCE_CELL::SLOT_CELLS].tolist(), default=0) if self.slots else 0

    def records(self, sequence: int, runs: dict[int, _Run]) -> Iterator[Record]:
        """Yield the record in the slot of this number, if it has that number. `runs`: payloads read before."""
        if not self.slots:
            return
        at = self.slots_at + sequence % self.slots * SLOT_BYTES
        slot = bytes(self.region[at : at + SLOT_BYTES])
        connection, time, delayed, finished, state, kind, number, payload, count, rule, found = FIXED.unpack_from(slot)
        if found != sequence or state == State.CLEARED:
            return
        if kind == Kind.RUN:
            run = runs.get(payload)
            if run is None:
                run = runs[payload] = self._run(payload)
            skipped = len(run.requests) - count  # of a run that is longer than the ring
            for index, (request, size) in enumerate(run.requests[max(0, skipped) :]):
                yield Record(
                    self.number, sequence, index, kind, connection, time, state, number + index, run.rule, request,
                    size, run.reply, run.reply_size, 0.0, finished, (), run.note,
                )  # fmt: skip
            return
        kept, size, reply_at, reply_size, reply_kept, many, *cells, note_at, note_size = REST.unpack_from(slot, REST_AT)
        if kind == Kind.END:
            size = reply_at
        yield Record(
            self.number, sequence, 0, kind, connection, time, state, number, rule, self._bytes(payload, kept), size,
            self._bytes(reply_at, reply_kept), reply_size, delayed, finished, tuple(cells[: min(many, len(cells))]),
            self._bytes(note_at, note_size),
        )  # fmt: skip

    def _bytes(self, position: int, size: int) -> bytes:
        if not size:
            return b""
        at = self.payload_at + position % self.capacity
        return bytes(self.region[at : at + size])

    def _run(self, position: int) -> _Run:
        count, rule, reply_kept, reply_size, note_size = RUN_HEAD.unpack(self._bytes(position, RUN_HEAD.size))
        position += RUN_HEAD.size
        if count * RUN_REQUEST.size > self.capacity:
            return _Run((), rule, b"", reply_size, b"")  # it is being overwritten: the record is not live any more
        sizes = list(RUN_REQUEST.iter_unpack(self._bytes(position, count * RUN_REQUEST.size)))
        position += count * RUN_REQUEST.size
        requests: list[tuple[bytes, int]] = []
        for kept, size in sizes:
            requests.append((self._bytes(position, kept), size))
            position += kept
        reply, note = self._bytes(position, reply_kept), self._bytes(position + reply_kept, note_size)
        return _Run(requests, rule, reply, reply_size, note)
