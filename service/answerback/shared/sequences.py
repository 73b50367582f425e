"""Sequences that all workers share, each number given out once: "fail twice, then recover" fails exactly twice."""

from collections.abc import Callable, Iterable
from time import monotonic_ns

from answerback.shared.counters import SharedCounters

# Rule: a number is taken under the lock, which is released if its holder dies; it is not given out again until its
#       sequence is reset, or its window has ended.
# Rule: all workers read one clock, under the lock, so that they agree on when a window begins and ends. The start is
#       written after the count: a worker killed between the two leaves the old start, and the next number begins the
#       window.


class SharedSequences:
    """Gives out the numbers of the sequences of rules and faults."""

    __slots__ = ("_cells", "_clock", "_memory")

    def __init__(self, memory: SharedCounters, clock: Callable[[], int] = monotonic_ns) -> None:
        """`clock`: in nanoseconds, the same for all processes."""
        self._memory = memory
        self._cells = memory.sequences
        self._clock = clock

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Return the next number. See `core.bounded_counter.NextNumber`. The next cell has the start of the window."""
        if window_seconds:
            return self._next_in_window(cell, max_numbers, window_seconds)
        cells = self._cells
        if max_numbers and cells[cell] >= max_numbers:
            return None  # without the lock: an exhausted sequence stays so, unless it is being reset
        with self._memory.locked():
            number = int(cells[cell])
            if max_numbers and number >= max_numbers:
                return None
            cells[cell] = number + 1
        return number

    def _next_in_window(self, cell: int, max_numbers: int, window_seconds: float) -> int | None:
        cells = self._cells
        with self._memory.locked():
            now, start, number = self._clock(), int(cells[cell + 1]), int(cells[cell])
            over = not start or now - start >= round(window_seconds * 1e9)
            if over:
                number = 0
            elif max_numbers and number >= max_numbers:
                return None
            cells[cell] = number + 1
            if over:
                cells[cell + 1] = now
        return number

    def reset(self, cells: Iterable[int]) -> None:
        """Restart all these sequences at 0, atomically."""
        with self._memory.locked():
            for cell in cells:
                self._cells[cell] = 0
