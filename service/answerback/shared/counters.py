"""Counters in anonymous memory that supervisor and workers map: a region of u64 cells per slot, and a shared one.

A region outlives the worker that writes it: the next worker in the slot continues its counts.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from answerback.shared.journal.layout import JournalMemory
from answerback.shared.listener_counters import BLOCK, Cells

K = TypeVar("K")

# Rule: one writer per region: the slot's worker, or the supervisor when the worker is dead. The shared region is
#       written by workers under the lock alone; the supervisor never takes it (see `net.admission`).

REGION_CELLS = 1 << 21  # 16 MiB of address space a slot; memory is taken as cells are first written
# The last cell of a region counts the worker's progress during long work. It is not a metric: the supervisor checks
# whether it changes.
PROGRESS = REGION_CELLS - 1
SHARED_CELLS = 1 << 23  # 64 MiB: the table of the peers' open connections, one row of counts per slot
PEER_CELLS = (1 << 20) + (1 << 13)  # 8 MiB: the table of what is counted for each peer, behind a header; whole pages
LOCK_OFFSET = 0  # any byte would do: record locks are about offsets, not content


class SharedCounters:
    """The mapped memory. Workers inherit `fd`."""

    def __init__(self, fd: int, slots: int) -> None:
        """Map the memory of `fd`, which `create` made or a parent passed on. Raises OSError if it cannot be mapped."""
        self.fd = fd
        self.slots = slots
        size = counter_bytes(slots)
        self._cells: Cells = memoryview(mmap.mmap(fd, size)).cast("Q")
        self.journal = JournalMemory(fd, slots, size)
        """The memory of the journal, which is behind that of the counters: a region for each of theirs."""

    @staticmethod
    def size(slots: int) -> int:
        """Return the size in bytes for this many slots, with the journal's."""
        return counter_bytes(slots) + JournalMemory.size(slots)

    @classmethod
    def create(cls, slots: int) -> "SharedCounters":
        """Create the memory, with every count 0."""
        fd = os.memfd_create("answerback-counters", os.MFD_CLOEXEC)
        os.ftruncate(fd, cls.size(slots))
        return cls(fd, slots)

    def region(self, slot: int) -> Cells:
        """Return the cells of a slot."""
        return self._cells[slot * REGION_CELLS : (slot + 1) * REGION_CELLS]

    @property
    def sequences(self) -> Cells:
        """The cells, written by all slots under `locked`, of the sequences that rules count with."""
        return self.region(self.slots)

    @property
    def peers(self) -> Cells:
        """The cells, written by all slots under `locked`, of the sequences that count for each peer."""
        first = (self.slots + 1) * REGION_CELLS
        return self._cells[first : first + PEER_CELLS]

    @property
    def shared(self) -> Cells:
        """The cells, written by all slots under `locked`, of the peers' open connections."""
        return self._cells[(self.slots + 1) * REGION_CELLS + PEER_CELLS :]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the shared region; it is released if its holder dies (fcntl(2), record locks)."""
        fcntl.lockf(self.fd, fcntl.LOCK_EX, 1, LOCK_OFFSET)
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, LOCK_OFFSET)


def counter_bytes(slots: int) -> int:
    """Return the size in bytes of the counters alone."""
    return (REGION_CELLS * (slots + 1) + PEER_CELLS + SHARED_CELLS) * 8


class CountersExhausted(Exception):
    """No cell is left for another listener, rule or fault."""


class CounterLayout:
    """The cell of each counter in a region: assigned once to a listener, rule or fault name, never reassigned."""

    def __init__(self) -> None:
        self._next = 0
        self._listeners: dict[str, int] = {}
        self._rules: dict[tuple[str, str], int] = {}
        self._unexpected: dict[tuple[str, str], int] = {}
        self._faults: dict[tuple[str, str], int] = {}

    def listener(self, name: str) -> int:
        """Return where the listener's block begins. Raises CountersExhausted."""
        return self._place(self._listeners, name, BLOCK)

    def rule(self, listener: str, rule: str) -> int:
        """Return the cell of a rule's matches. Raises CountersExhausted."""
        return self._place(self._rules, (listener, rule), 1)

    def unexpected(self, listener: str, rule: str) -> int:
        """Return the cell that counts the frames that a rule did not expect. Raises CountersExhausted."""
        return self._place(self._unexpected, (listener, rule), 1)

    def fault(self, listener: str, fault: str) -> int:
        """Return the cell that counts how often a fault applied. Raises CountersExhausted."""
        return self._place(self._faults, (listener, fault), 1)

    @property
    def size(self) -> int:
        """The number of cells assigned so far."""
        return self._next

    @property
    def listeners(self) -> dict[str, int]:
        """The block of every listener that ever had one."""
        return dict(self._listeners)

    @property
    def rules(self) -> dict[tuple[str, str], int]:
        """The cell of every rule (listener, rule) that ever had one."""
        return dict(self._rules)

    @property
    def unexpected_frames(self) -> dict[tuple[str, str], int]:
        """The cell of every rule (listener, rule) that ever expected a frame."""
        return dict(self._unexpected)

    @property
    def faults(self) -> dict[tuple[str, str], int]:
        """The cell of every fault (listener, fault) that ever had one."""
        return dict(self._faults)

    def counter(self, cells: int = 1) -> int:
        """Assign new cells, whose counts are 0; return the first. Raises CountersExhausted."""
        return self._take("a counter", cells)

    def _place(self, given: dict[K, int], key: K, cells: int) -> int:
        if key not in given:
            given[key] = self._take(key, cells)
        return given[key]

    def _take(self, what: object, cells: int) -> int:
        if self._next + cells > PROGRESS:
            raise CountersExhausted(f"no counter cell is left for {what!r}: restart to free those of the past")
        place, self._next = self._next, self._next + cells
        return place
