"""Counters with a maximum: each gives out consecutive numbers, and stops after the last."""

from collections.abc import Callable
from enum import Enum
from typing import Generic, Protocol, TypeVar

K = TypeVar("K")


class CountedFor(Enum):
    """What a counter counts for: the scope of a rule or fault."""

    LISTENER = "all connections of the listener"
    CONNECTION = "each connection"
    PEER = "each peer, with all its connections"


class NextNumber(Protocol):
    """A function that counts, such as `BoundedCounters.next_number` of counters by cell."""

    def __call__(self, key: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Return the next number of this counter, from 0; None after `max_numbers` numbers (0: unlimited).

        With `window_seconds`, the number 0 begins a window of this length. The first call after its end gives 0 again.
        """


class BoundedCounters(Generic[K]):
    """The counters of one process, by key. `shared.sequences` has those that all workers share."""

    __slots__ = ("_clock", "_windows", "counts")

    counts: dict[K, int]
    """How many numbers each has given out, in its window if it has one."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.counts = {}
        self._clock = clock
        self._windows: dict[K, float] | None = None  # when each began

    def next_number(self, key: K, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Return the next number. See `NextNumber`."""
        number = self.counts.get(key, 0)
        if window_seconds:
            windows = self._windows = {} if self._windows is None else self._windows
            now = self._clock()
            if key not in windows or now - windows[key] >= window_seconds:
                windows[key], number = now, 0
        if max_numbers and number >= max_numbers:
            return None
        self.counts[key] = number + 1
        return number
