"""Sequences that all workers share, each number given out once: "fail twice, then recover" fails exactly twice."""

from collections.abc import Iterable

from answerback.shared.counters import SharedCounters

# Rule: a number is taken under the lock, which is released if its holder dies; it is not given out again until its
#       sequence is reset.


class SharedSequences:
    """Gives out the numbers of the sequences of rules and faults."""

    __slots__ = ("_counters", "_tally")

    def __init__(self, tally: SharedCounters) -> None:
        self._tally = tally
        self._counters = tally.counters

    def claim(self, place: int, most: int) -> int | None:
        """Return the next number, from 0; None once `most` numbers are given out (0: never)."""
        counters = self._counters
        if most and counters[place] >= most:
            return None  # without the lock: an exhausted sequence stays so, unless it is being reset
        with self._tally.locked():
            number = int(counters[place])
            if most and number >= most:
                return None
            counters[place] = number + 1
        return number

    def reset(self, places: Iterable[int]) -> None:
        """Restart all these sequences at 0, atomically."""
        with self._tally.locked():
            for place in places:
                self._counters[place] = 0
