"""The tally: anonymous memory that supervisor and workers map, a region of u64 cells per slot and a shared one.

A region outlives the worker that writes it: the successor in the slot goes on counting where it left off.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from answerback.shared.listener_counters import BLOCK, Cells

K = TypeVar("K")

# Rule: one writer a region: the slot's worker, or, when that is dead, the supervisor. The shared region is written by
#       workers under the lock alone; the supervisor never takes it (see `peers`).

REGION_CELLS = 1 << 21  # 16 MiB of address space a slot; memory is taken as cells are first written
# The last cell of a region: how often its worker has gone on, with whatever it is that takes it long. It is no count of
# anything; the supervisor looks whether it moves.
PROGRESS = REGION_CELLS - 1
SHARED_CELLS = 1 << 23  # 64 MiB: the peers' table, a row of counts per slot
LOCK_OFFSET = 0  # any byte would do: record locks are about offsets, not content


class SharedCounters:
    """The mapped memory. `fd` is inherited by the workers."""

    def __init__(self, fd: int, slots: int) -> None:
        """Map what `fd` names: made by `create`, or inherited. OSError if it cannot be mapped."""
        self.fd = fd
        self.slots = slots
        self._cells: Cells = memoryview(mmap.mmap(fd, self.size(slots))).cast("Q")

    @staticmethod
    def size(slots: int) -> int:
        """In bytes, for so many slots."""
        return (REGION_CELLS * (slots + 1) + SHARED_CELLS) * 8

    @classmethod
    def create(cls, slots: int) -> "SharedCounters":
        """A new one, every count 0."""
        fd = os.memfd_create("answerback-tally", os.MFD_CLOEXEC)
        os.ftruncate(fd, cls.size(slots))
        return cls(fd, slots)

    def region(self, slot: int) -> Cells:
        """The cells of a slot."""
        return self._cells[slot * REGION_CELLS : (slot + 1) * REGION_CELLS]

    @property
    def counters(self) -> Cells:
        """A region that all slots write, under `locked`: what rules count, each in the place of its matches."""
        return self.region(self.slots)

    @property
    def shared(self) -> Cells:
        """The cells that all slots write, under `locked`."""
        return self._cells[(self.slots + 1) * REGION_CELLS :]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the shared region; it dies with its holder (fcntl(2), record locks)."""
        fcntl.lockf(self.fd, fcntl.LOCK_EX, 1, LOCK_OFFSET)
        try:
            yield
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN, 1, LOCK_OFFSET)


class CountersExhausted(Exception):
    """No place is left in the tally for another listener, rule or fault."""


class CounterLayout:
    """Which cells of a region count what: given once to the name of a listener, rule or fault, and never to another."""

    def __init__(self) -> None:
        self._next = 0
        self._listeners: dict[str, int] = {}
        self._rules: dict[tuple[str, str], int] = {}
        self._faults: dict[tuple[str, str], int] = {}

    def listener(self, name: str) -> int:
        """Where the listener's block begins. Raises CountersExhausted."""
        return self._place(self._listeners, name, BLOCK)

    def rule(self, listener: str, rule: str) -> int:
        """The cell of a rule's matches. Raises CountersExhausted."""
        return self._place(self._rules, (listener, rule), 1)

    def fault(self, listener: str, fault: str) -> int:
        """The cell of a fault's strikes. Raises CountersExhausted."""
        return self._place(self._faults, (listener, fault), 1)

    @property
    def listeners(self) -> dict[str, int]:
        """Every listener that was ever given a place."""
        return dict(self._listeners)

    @property
    def rules(self) -> dict[tuple[str, str], int]:
        """Every rule (listener, rule) that was ever given a place."""
        return dict(self._rules)

    @property
    def faults(self) -> dict[tuple[str, str], int]:
        """Every fault (listener, fault) that was ever given a place."""
        return dict(self._faults)

    def counter(self, cells: int = 1) -> int:
        """New cells, for counts that begin at 0; the first of them. Raises CountersExhausted."""
        return self._take("a counter", cells)

    def _place(self, given: dict[K, int], key: K, cells: int) -> int:
        if key not in given:
            given[key] = self._take(key, cells)
        return given[key]

    def _take(self, what: object, cells: int) -> int:
        if self._next + cells > PROGRESS:
            raise CountersExhausted(f"no place left in the tally for {what!r}: restart to free those of the past")
        place, self._next = self._next, self._next + cells
        return place
