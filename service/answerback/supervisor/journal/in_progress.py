"""Records in progress that waits and watches would see again when they are complete."""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from answerback.shared.journal.layout import IN_PROGRESS
from answerback.shared.journal.records import Record
from answerback.shared.journal.ring_reader import Moving, RingReader

# Rule: one look is for all: it costs what is in progress, however many wait for it.

MAX_PENDING: Final = 1000  # records in progress that one of them looks at again
MAX_OF_ALL: Final = 4000  # records in progress that are looked at
LOOK_SECONDS: Final = 0.01  # between two looks, which are shared by all that ask in between

Place = tuple[int, int]
"""Region and sequence number."""


class InProgress:
    """The records in progress that are waited for, by all waits and watches."""

    def __init__(self, readers: Sequence[RingReader]) -> None:
        self.readers = readers
        self._waiting: list[dict[int, list[Pending]]] = [{} for _ in readers]
        self.looked = float("-inf")
        """When the last look began, by the monotonic clock."""

    def __len__(self) -> int:
        """Return how many records are waited for."""
        return sum(map(len, self._waiting))

    def add(self, place: Place, waiting: "Pending") -> bool:
        """Tell `waiting` when this record is complete; False if too many are looked at."""
        region, sequence = place
        if sequence in self._waiting[region]:
            self._waiting[region][sequence].append(waiting)
        elif len(self) < MAX_OF_ALL:
            self._waiting[region][sequence] = [waiting]
        else:
            return False
        return True

    def discard(self, place: Place, waiting: "Pending") -> None:
        """Tell it no more."""
        region, sequence = place
        others = self._waiting[region].get(sequence, [])
        if waiting in others:
            others.remove(waiting)
            if not others:
                del self._waiting[region][sequence]

    def look(self) -> None:
        """Look which records are complete, unless this was done a moment ago."""
        now = monotonic()
        if now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        for region, waiting in enumerate(self._waiting):
            if waiting:
                try:
                    finished = self.readers[region].finished(waiting)
                except Moving:
                    continue  # the next look sees it
                for sequence in finished:
                    for each in waiting.pop(sequence):
                        each.finished((region, sequence))


class Pending:
    """The records in progress that one wait or watch will see again. Close it at the end."""

    def __init__(self, shared: InProgress) -> None:
        self._shared = shared
        self._waiting: set[Place] = set()
        self._young: dict[Place, float] = {}  # since when, the oldest first; until they are stale
        self._finished: dict[Place, None] = {}
        self._closed = False
        self.looked = float("-inf")
        """What was complete at this time has been seen, once `completed` has yielded everything."""
        self.missed = False
        """Whether more records were in progress at once than are looked at again."""

    def close(self) -> None:
        """Wait for no record any more."""
        self._closed = True
        for place in self._waiting:
            self._shared.discard(place, self)
        self._waiting.clear()

    def await_completion(self, record: Record) -> None:
        """Look at this record again until it is complete, if it is in progress."""
        place = record.region, record.sequence
        if record.state != IN_PROGRESS or place in self._waiting or self._closed:
            return
        if len(self._waiting) < MAX_PENDING and self._shared.add(place, self):
            self._waiting.add(place)
            self._young[place] = monotonic()
        else:
            self.missed = True

    def finished(self, place: Place) -> None:
        """Take note that this record is complete."""
        self._waiting.discard(place)
        self._young.pop(place, None)
        self._finished[place] = None

    def completed(self) -> Iterator[Record]:
        """Yield the records that are complete, each once; the caller may pause in between."""
        self._shared.look()
        self.looked = self._shared.looked
        while self._finished:
            place = next(iter(self._finished))
            try:
                records = self._shared.readers[place[0]].at(place[1])
            except Moving:
                return  # the next look sees it
            del self._finished[place]
            yield from records

    def stale(self, seconds: float) -> Iterator[Record]:
        """Yield records that have been in progress for this long, each once; the caller may pause in between."""
        until = monotonic() - seconds
        while self._young:
            place, since = next(iter(self._young.items()))
            if since > until:
                return
            try:
                records = self._shared.readers[place[0]].at(place[1])
            except Moving:
                return
            del self._young[place]
            yield from records
