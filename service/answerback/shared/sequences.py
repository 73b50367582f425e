"""Sequences that all workers share, each number given out once: "fail twice, then recover" fails exactly twice."""

from collections.abc import Callable, Iterable
from time import monotonic_ns

from answerback.shared.counters import SharedCounters
from answerback.shared.listener_counters import Cells
from answerback.shared.peer_table import PeerTable

# Rule: a number is taken under the lock, which is released if its holder dies; it is not given out again until its
#       sequence is reset, its window has ended, or, for a peer, its entry was evicted.
# Rule: all workers read one clock, under the lock, so that they agree on when a window begins and ends. The start is
#       written after the count: a worker killed between the two leaves the old start, and the next number begins the
#       window.


class SharedSequences:
    """Gives out the numbers of the sequences of rules and faults."""

    __slots__ = ("_cells", "_clock", "_memory", "_peers")

    def __init__(
        self, memory: SharedCounters, clock: Callable[[], int] = monotonic_ns, peers: PeerTable | None = None
    ) -> None:
        """`clock`: in nanoseconds, the same for all processes; `peers`: a table other than the usual one."""
        self._memory = memory
        self._cells = memory.sequences
        self._clock = clock
        self._peers = peers or PeerTable(memory)

    def next_number(self, cell: int, max_numbers: int, window_seconds: float = 0.0, /) -> int | None:
        """Return the next number. See `core.bounded_counter.NextNumber`. The next cell has the start of the window."""
        cells = self._cells
        if max_numbers and not window_seconds and cells[cell] >= max_numbers:
            return None  # without the lock: an exhausted sequence stays so, unless it is being reset
        with self._memory.locked():
            return self._draw(cells, cell, cell + 1, max_numbers, window_seconds)

    def next_number_of_peer(
        self, cell: int, peer: bytes, max_numbers: int, window_seconds: float, evicted: Callable[[], None]
    ) -> int | None:
        """Return the next number of a peer, as `next_number` does.

        `peer`: see `net.peers`. `evicted` is called, under the lock, if the sequence of another peer makes room. Then
        that one starts at 0 again.
        """
        peers = self._peers
        place = peers.place(cell, peer)
        with self._memory.locked():
            count, start = peers.entry(place, self._cells[cell], evicted)
            return self._draw(peers.cells, count, start, max_numbers, window_seconds)

    def _draw(self, cells: Cells, count: int, start: int, max_numbers: int, window_seconds: float) -> int | None:
        """Take a number, under the lock; `start` is the cell of the start of its window."""
        number, now, begins = int(cells[count]), 0, False
        if window_seconds:
            now, began = self._clock(), int(cells[start])
            begins = not began or now - began >= round(window_seconds * 1e9)
            if begins:
                number = 0
        if max_numbers and number >= max_numbers:
            return None
        cells[count] = number + 1
        if begins:
            cells[start] = now
        return number

    def reset(self, cells: Iterable[int], peer_cells: Iterable[int] = ()) -> None:
        """Restart all these sequences at 0, atomically; `peer_cells`: those that count for each peer."""
        with self._memory.locked():
            use = self._peers.take_use()
            for cell in peer_cells:
                self._cells[cell] = use
            for cell in cells:
                self._cells[cell] = 0
