"""Connection limits across all workers: per listener, and per peer of a listener.

The peers' table is in the shared region of the shared counters:

    header | keys | slot 0's counts | slot 1's counts | …

An entry is one key and, at the same index of each following row, one count per slot. The key of a listener and an
address determines the bucket in which its entry is looked for.
"""

import mmap
from collections.abc import Callable
from typing import Final

from answerback.core.plan import ListenerPlan
from answerback.shared.counters import SHARED_CELLS, SharedCounters
from answerback.shared.key_table import BUCKET, KeyTable
from answerback.shared.listener_counters import OPEN, REJECTIONS

# Rule: workers use the table under the lock, which is released when its holder dies; after any partial write it
#       suffices that `close_crashed` clears the dead slot's row.
# Rule: the supervisor takes no lock: a stopped worker may hold it, and only the supervisor can kill that worker. A row
#       has one writer, so the row of a dead worker may be cleared at any time.
# Rule: an entry is free when all its counts are 0, whatever its key; a key of 0 tells this without reading them.

TOO_MANY, TOO_MANY_OF_PEER = REJECTIONS

ALIGNMENT: Final = 8192  # cells: rows are page-aligned (also for 64 KiB pages), so that one call can clear a row
HEADER: Final = ALIGNMENT  # cells; the first two are the secret of `KeyTable`
MOST_ENTRIES: Final = 1 << 18  # 2 MiB a row: many distinct peers touch every page of it sooner or later


class Admission:
    """Admits connections in one slot, within their listener's limits over all slots.

    Not needed for a listener without `max_connections` and `max_connections_per_peer`.
    """

    __slots__ = ("_memory", "_own", "_regions", "_rows", "_shared", "_table")

    def __init__(self, memory: SharedCounters, slot: int) -> None:
        size = entries(memory.slots)
        self._memory = memory
        self._regions = [memory.region(index) for index in range(memory.slots)]
        self._shared = memory.shared
        self._table = KeyTable(memory, self._shared, HEADER, size)
        self._rows = [row(size, index) for index in range(memory.slots)]
        self._own = self._rows[slot]

    def admit(self, plan: ListenerPlan, peer: bytes | None, accept: Callable[[], None]) -> str | None:
        """Count the connection in, or return which of `REJECTIONS` it is rejected for.

        `peer` is the packed address; None if it is not known yet, and `admit_peer` follows. `accept` is the counters'
        `accepted`, called under the lock if there is room. If `max_connections_per_peer` is set, call `left` when the
        connection is closed. If a bucket is full, new peers are rejected: a limit that cannot be checked counts as
        reached.
        """
        limits = plan.limits
        with self._memory.locked():
            if limits.max_connections:
                place = plan.block + OPEN
                if sum([cells[place] for cells in self._regions]) >= limits.max_connections:
                    return TOO_MANY
            if limits.max_connections_per_peer and peer is not None and not self._enter(plan, peer):
                return TOO_MANY_OF_PEER
            accept()
        return None

    def admit_peer(self, plan: ListenerPlan, peer: bytes, accept: Callable[[], None]) -> str | None:
        """Count the peer of a connection that was admitted without it. See `admit`."""
        with self._memory.locked():
            if not self._enter(plan, peer):
                return TOO_MANY_OF_PEER
            accept()
        return None

    def _enter(self, plan: ListenerPlan, peer: bytes) -> bool:
        """Count a connection of a peer; False if it has as many as it may."""
        key = self._key(plan.block, peer)
        entry = self._find(key)
        if entry is None:
            entry = self._claim(key)
        if entry is None or sum(self._counts(entry)) >= plan.limits.max_connections_per_peer:
            return False
        self._shared[self._own + entry] += 1
        return True

    def left(self, plan: ListenerPlan, peer: bytes) -> None:
        """A connection that `admit` counted for its peer is closed. Do not call it for other connections."""
        key = self._key(plan.block, peer)
        with self._memory.locked():
            entry = self._find(key)
            if entry is None:
                return
            place = self._own + entry
            if self._shared[place]:
                self._shared[place] -= 1
            if not any(self._counts(entry)):
                self._shared[HEADER + entry] = 0

    def _find(self, key: int) -> int | None:
        return self._table.find(self._table.bucket(key), key)

    def _claim(self, key: int) -> int | None:
        first = self._table.bucket(key)
        keys = self._table.keys(first)
        if 0 in keys:
            entry = first + keys.index(0)
        else:  # the key remains when counts were cleared
            forsaken = (index for index in range(first, first + BUCKET) if not any(self._counts(index)))
            entry = next(forsaken, -1)
            if entry < 0:
                return None
        self._shared[HEADER + entry] = key
        return entry

    def _counts(self, entry: int) -> list[int]:
        shared = self._shared
        return [shared[first + entry] for first in self._rows]

    def _key(self, block: int, peer: bytes) -> int:
        return self._table.hash(block.to_bytes(8, "little") + peer)


def close_crashed(memory: SharedCounters, slot: int) -> None:
    """Remove a dead worker's connections from the peers' counts."""
    size = entries(memory.slots)
    first = row(size, slot)
    shared = memory.shared
    mapping = shared.obj
    if isinstance(mapping, mmap.mmap):
        try:
            # Frees the pages, which clears them; writing zeros would first allocate every page.
            mapping.madvise(mmap.MADV_REMOVE, (len(mapping) - shared.nbytes) + first * 8, size * 8)
        except OSError:  # a kernel (or an emulation) without this call
            pass
        else:
            return
    shared[first : first + size] = memoryview(bytes(size * 8)).cast("Q")


def entries(slots: int) -> int:
    """Return the number of peers that the table has room for, with this many slots."""
    fitting = (SHARED_CELLS - HEADER) // (1 + slots)
    return min(MOST_ENTRIES, fitting - fitting % ALIGNMENT)


def row(size: int, slot: int) -> int:
    """Return where a slot's counts begin in the shared region, in a table of `size` entries."""
    return HEADER + (1 + slot) * size
