"""Sequences that all workers share, each number given out once: "fail twice, then recover" fails exactly twice."""

from collections.abc import Iterable

from answerback.shared.counters import SharedCounters

# Rule: a number is taken under the lock, which is released if its holder dies; it is not given out again until its
#       sequence is reset.


class SharedSequences:
    """Gives out the numbers of the sequences of rules and faults."""

    __slots__ = ("_cells", "_memory")

    def __init__(self, memory: SharedCounters) -> None:
        self._memory = memory
        self._cells = memory.sequences

    def next_number(self, cell: int, max_numbers: int, /) -> int | None:
        """Return the next number, from 0; None once `max_numbers` numbers are given out (0: never)."""
        cells = self._cells
        if max_numbers and cells[cell] >= max_numbers:
            return None  # without the lock: an exhausted sequence stays so, unless it is being reset
        with self._memory.locked():
            number = int(cells[cell])
            if max_numbers and number >= max_numbers:
                return None
            cells[cell] = number + 1
        return number

    def reset(self, cells: Iterable[int]) -> None:
        """Restart all these sequences at 0, atomically."""
        with self._memory.locked():
            for cell in cells:
                self._cells[cell] = 0
