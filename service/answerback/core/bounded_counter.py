"""Counters with a maximum: each gives out consecutive numbers, and stops after the last."""

from typing import Generic, Protocol, TypeVar

K = TypeVar("K")


class NextNumber(Protocol):
    """A function that counts, such as `BoundedCounters.next_number` of counters by cell."""

    def __call__(self, key: int, max_numbers: int, /) -> int | None:
        """Return the next number of this counter, from 0; None after `max_numbers` numbers (0: unlimited)."""


class BoundedCounters(Generic[K]):
    """The counters of one process, by key. `shared.sequences` has those that all workers share."""

    __slots__ = ("counts",)

    counts: dict[K, int]
    """How many numbers each has given out."""

    def __init__(self) -> None:
        self.counts = {}

    def next_number(self, key: K, max_numbers: int, /) -> int | None:
        """Return the next number of this counter, from 0; None after `max_numbers` numbers (0: unlimited)."""
        number = self.counts.get(key, 0)
        if max_numbers and number >= max_numbers:
            return None
        self.counts[key] = number + 1
        return number
