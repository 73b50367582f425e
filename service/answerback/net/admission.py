"""Limits on connections that hold over all slots: how many a listener has open, and how many of them one peer has.

The peers' table stands in the shared region of the tally:

    header | keys | slot 0's counts | slot 1's counts | …

An entry is one key and, at the same index of each row behind, one count per slot. A key is a keyed hash of listener
and address, and names the bucket in which its entry is looked for.
"""

import mmap
import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from answerback.core.plan import ListenerPlan
from answerback.shared.counters import SHARED_CELLS, SharedCounters
from answerback.shared.listener_counters import OPEN, REJECTIONS

# Rule: workers read and write the table under the tally's lock, which dies with its holder; every order of writes
#       leaves it such that `bury` needs nothing but to clear the dead slot's row.
# Rule: the supervisor takes no lock: a worker that is stopped may hold it, and who else should kill that one? A row
#       has one writer, so the dead one's may be cleared at any time.
# Rule: an entry is free when its counts are all 0, whatever its key; a key of 0 says so at a glance.

TOO_MANY, TOO_MANY_OF_PEER = REJECTIONS

ALIGNMENT: Final = 8192  # cells: rows begin at pages, be these of 64 KiB, so that one call can clear a row
HEADER: Final = ALIGNMENT  # cells; the first two hold the secret of the hash
BUCKET: Final = 64  # entries; at 131,072 peers at once, half of all places, one bucket in 10 million is full
MOST_ENTRIES: Final = 1 << 18  # 2 MiB a row: many distinct peers touch every page of it sooner or later


class Admission:
    """Lets connections in, in one slot, as far as the limits of their listener allow over all slots.

    A listener without `max_connections` and `max_connections_per_peer` need not ask.
    """

    __slots__ = ("_buckets", "_own", "_regions", "_rows", "_secret", "_shared", "_tally")

    def __init__(self, tally: SharedCounters, slot: int) -> None:
        size = entries(tally.slots)
        self._tally = tally
        self._regions = [tally.region(index) for index in range(tally.slots)]
        self._shared = tally.shared
        self._buckets = size // BUCKET
        self._rows = [row(size, index) for index in range(tally.slots)]
        self._own = self._rows[slot]
        self._secret = self._shared_secret()

    def admit(self, plan: ListenerPlan, peer: bytes, accept: Callable[[], None]) -> str | None:
        """Count the connection in, or say which of `REJECTIONS` it is turned away for.

        `peer` is the packed address; `accept` is the books' `accepted`, called under the lock if there is room. Where
        `max_connections_per_peer` was set, `left` is owed when the connection is closed. A bucket that is full turns
        new peers away: a limit that cannot be kept is taken for reached.
        """
        limits = plan.limits
        with self._tally.locked():
            if limits.max_connections:
                place = plan.block + OPEN
                if sum([cells[place] for cells in self._regions]) >= limits.max_connections:
                    return TOO_MANY
            if limits.max_connections_per_peer:
                key = self._key(plan.block, peer)
                entry = self._find(key)
                if entry is None:
                    entry = self._claim(key)
                if entry is None or sum(self._counts(entry)) >= limits.max_connections_per_peer:
                    return TOO_MANY_OF_PEER
                self._shared[self._own + entry] += 1
            accept()
        return None

    def left(self, plan: ListenerPlan, peer: bytes) -> None:
        """A connection that `admit` counted for its peer is closed. Others are not to be reported."""
        key = self._key(plan.block, peer)
        with self._tally.locked():
            entry = self._find(key)
            if entry is None:
                return
            place = self._own + entry
            if self._shared[place]:
                self._shared[place] -= 1
            if not any(self._counts(entry)):
                self._shared[HEADER + entry] = 0

    def _find(self, key: int) -> int | None:
        try:
            return self._bucket(key) + self._keys_beside(key).index(key)
        except ValueError:
            return None

    def _claim(self, key: int) -> int | None:
        keys = self._keys_beside(key)
        first = self._bucket(key)
        if 0 in keys:
            entry = first + keys.index(0)
        else:  # a key outlives its counts if these were buried
            forsaken = (index for index in range(first, first + BUCKET) if not any(self._counts(index)))
            entry = next(forsaken, -1)
            if entry < 0:
                return None
        self._shared[HEADER + entry] = key
        return entry

    def _bucket(self, key: int) -> int:
        return key % self._buckets * BUCKET

    def _keys_beside(self, key: int) -> list[int]:
        first = HEADER + self._bucket(key)
        keys: list[int] = self._shared[first : first + BUCKET].tolist()
        return keys

    def _counts(self, entry: int) -> list[int]:
        shared = self._shared
        return [shared[first + entry] for first in self._rows]

    def _key(self, block: int, peer: bytes) -> int:
        digest = blake2b(peer + block.to_bytes(8, "little"), digest_size=8, key=self._secret).digest()
        return int.from_bytes(digest, "little") or 1

    def _shared_secret(self) -> bytes:
        """What keeps peers from choosing their bucket; made by whoever needs it first."""
        secret = self._shared[:2]
        with self._tally.locked():
            if not secret[1]:  # written last
                for index in range(2):
                    secret[index] = int.from_bytes(os.urandom(8), "little") | 1
        return secret.tobytes()


def bury(tally: SharedCounters, slot: int) -> None:
    """After the worker of this slot has died: its connections count for no peer any more."""
    size = entries(tally.slots)
    first = row(size, slot)
    shared = tally.shared
    memory = shared.obj
    if isinstance(memory, mmap.mmap):
        try:
            # Takes the pages away, and with them what they hold; writing zeros would first fetch every one.
            memory.madvise(mmap.MADV_REMOVE, (len(memory) - shared.nbytes) + first * 8, size * 8)
        except OSError:  # a kernel, or what passes for one, that cannot
            pass
        else:
            return
    shared[first : first + size] = memoryview(bytes(size * 8)).cast("Q")


def entries(slots: int) -> int:
    """How many peers the table has a place for, with so many slots."""
    fitting = (SHARED_CELLS - HEADER) // (1 + slots)
    return min(MOST_ENTRIES, fitting - fitting % ALIGNMENT)


def row(size: int, slot: int) -> int:
    """Where a slot's counts begin in the shared region, in a table of so many entries."""
    return HEADER + (1 + slot) * size
