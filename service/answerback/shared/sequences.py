"""Counts that all workers share, each number given once: "fail twice, then recover" fails exactly twice."""

from collections.abc import Iterable

from answerback.shared.counters import SharedCounters

# Rule: a number is taken under the tally's lock, which dies with its holder; one that was taken is not given again
#       until its counter is reset.


class SharedSequences:
    """Gives out the numbers of the rules' counters."""

    __slots__ = ("_counters", "_tally")

    def __init__(self, tally: SharedCounters) -> None:
        self._tally = tally
        self._counters = tally.counters

    def claim(self, place: int, most: int) -> int | None:
        """Take the next number, from 0; None once `most` are taken (0: never)."""
        counters = self._counters
        if most and counters[place] >= most:
            return None  # without the lock: a count that has come to its end stays there, unless it is reset right now
        with self._tally.locked():
            number = int(counters[place])
            if most and number >= most:
                return None
            counters[place] = number + 1
        return number

    def reset(self, places: Iterable[int]) -> None:
        """Count from 0 again in all these places, at one moment."""
        with self._tally.locked():
            for place in places:
                self._counters[place] = 0
