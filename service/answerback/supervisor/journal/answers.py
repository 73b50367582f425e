"""Parts of what the journal answers: the nearest exchanges, and as many exchanges as a message holds."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from answerback.shared.journal.records import Record
from answerback.supervisor.journal.exchanges import Exchange
from answerback.supervisor.journal.filters import Filter

PAGE_BYTES: Final = 2 << 20  # of bodies; gRPC's clients take messages of 4 MiB
MAX_NEAREST: Final = 5


@dataclass(frozen=True, slots=True)
class Nearest:
    """An exchange that does not match, and why."""

    exchange: Exchange
    why: str


@dataclass(slots=True)
class Near:
    """The newest records that do not match, those that agree longest first."""

    wanted: Filter
    kept: list[tuple[int, int, Record, str]] = field(default_factory=list)
    _count: int = 0

    def consider(self, record: Record) -> None:
        """Keep a record if it is nearer than others."""
        mismatch = self.wanted.why_not(record)
        if mismatch is None:
            return
        self._count += 1
        self.kept.append((-1 if mismatch.at is None else mismatch.at, self._count, record, mismatch.why))
        if len(self.kept) > 8 * MAX_NEAREST:
            self._cut()

    def _cut(self) -> None:
        self.kept.sort(key=lambda each: each[:2], reverse=True)
        newest: dict[tuple[int, int, int], tuple[int, int, Record, str]] = {}
        for each in self.kept:
            newest.setdefault(each[2].place, each)  # a wait may see a record twice
        self.kept = list(newest.values())[:MAX_NEAREST]

    def found(self, named: Callable[[Record], Exchange]) -> list[Nearest]:
        """Return them, the nearest first."""
        self._cut()
        return [Nearest(named(record), why) for _, _, record, why in self.kept]


class Newest:
    """The newest records, as many as were asked for, or as a message holds."""

    def __init__(self, most: int) -> None:
        self.records: deque[Record] = deque(maxlen=most)
        self._room = PAGE_BYTES

    def add(self, record: Record) -> None:
        """Add one that is newer than all others."""
        if len(self.records) == self.records.maxlen:
            self._room += message_size(self.records[0])
        self.records.append(record)
        self._room -= message_size(record)
        while self._room < 0 and len(self.records) > 1:
            self._room += message_size(self.records.popleft())


def message_size(record: Record) -> int:
    """Return the bytes that a record takes in a message, roughly."""
    return len(record.request) + len(record.reply) + 200


def bounded(exchanges: list[Exchange]) -> list[Exchange]:
    """Return the first of them, as many as a message holds."""
    room = PAGE_BYTES
    for index, exchange in enumerate(exchanges):
        room -= message_size(exchange.record)
        if room < 0 and index:
            return exchanges[:index]
    return exchanges
