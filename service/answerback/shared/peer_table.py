"""The sequences that count for each peer: a bounded table, of which the entry used least recently makes room.

    header | keys | counts | starts of windows | uses

An entry is the cells with its index in the four rows. A use has a number, one higher than the use before: the entry
with the lowest one in its bucket was used least recently. The cell of a sequence has the number of its last reset, so
that a reset takes no time: entries last used before it count from 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from answerback.shared.counters import PEER_CELLS, SharedCounters
from answerback.shared.key_table import BUCKET, KeyTable

# Rule: use `take_use` and `entry` under the lock alone. It is released when its holder dies, after any write: a key is
#       removed before its entry is changed, and written after all else.

HEADER: Final = 1 << 13  # cells
USES: Final = 0  # the cell that counts uses
ENTRIES: Final = (PEER_CELLS - HEADER) // 4
# All IPv6 addresses of a site, which has at most a /48 (RFC 6177), share these buckets: however many addresses it uses,
# the counts of other peers in all other buckets stay.
SITE_BYTES: Final = 6
SITE_BUCKETS: Final = 16
IPV6_BYTES: Final = 16
KNOWN_PLACES: Final = 1024  # computing one takes 2 µs, and finding its entry 1 µs


@dataclass(slots=True)
class Place:
    """Where the entry of a peer is."""

    bucket: int
    key: int
    last: int = 0
    """Where the entry was when it was last used; it has its key unless it was evicted."""


class PeerTable:
    """The table, as one worker uses it."""

    __slots__ = ("_counts", "_keys", "_starts", "_table", "_uses", "cells", "place")

    def __init__(self, memory: SharedCounters, entries: int = ENTRIES) -> None:
        """`entries`: at most `ENTRIES`, whole buckets; the same for all workers."""
        self.cells = memory.peers
        self._keys = HEADER
        self._counts = HEADER + entries
        self._starts = HEADER + 2 * entries
        self._uses = HEADER + 3 * entries
        self._table = KeyTable(memory, self.cells, HEADER, entries)
        self.place: Callable[[int, bytes], Place] = lru_cache(KNOWN_PLACES)(self._place)
        """Return where the entry of a sequence and a peer is; `peer`: see `net.peers`."""

    def _place(self, cell: int, peer: bytes) -> Place:
        table, sequence = self._table, cell.to_bytes(8, "little")
        key = table.hash(sequence + peer)
        if len(peer) < IPV6_BYTES:
            return Place(table.bucket(key), key)
        site = table.hash(sequence + peer[:SITE_BYTES])
        return Place(table.bucket(site + key % SITE_BUCKETS), key)

    def take_use(self) -> int:
        """Return the number of a use, or of a reset."""
        number = int(self.cells[USES]) + 1
        self.cells[USES] = number
        return number

    def entry(self, place: Place, reset: int, evicted: Callable[[], None]) -> tuple[int, int]:
        """Use the entry at this place; return the cells of its count and of the start of its window.

        `reset` is the use of the sequence's last reset. If there is no entry, and no room for one, another entry is
        removed, and `evicted` is called.
        """
        cells, use, entry = self.cells, self.take_use(), place.last
        if cells[self._keys + entry] != place.key:
            found = self._table.find(place.bucket, place.key)
            if found is None:
                found = self._free(place.bucket, evicted)
                self._restart(found, use)
                cells[self._keys + found] = place.key
            place.last = entry = found
        if cells[self._uses + entry] < reset:
            self._restart(entry, use)
        else:
            cells[self._uses + entry] = use
        return self._counts + entry, self._starts + entry

    def _restart(self, entry: int, use: int) -> None:
        """Let an entry count from 0; its use is written last, so that a reset is not lost with the worker."""
        self.cells[self._counts + entry] = 0
        self.cells[self._starts + entry] = 0
        self.cells[self._uses + entry] = use

    def _free(self, bucket: int, evicted: Callable[[], None]) -> int:
        """Return an entry without a key; that of the least recent use if all have one."""
        keys = self._table.keys(bucket)
        if 0 in keys:
            return bucket + keys.index(0)
        first = self._uses + bucket
        uses: list[int] = self.cells[first : first + BUCKET].tolist()
        entry = bucket + uses.index(min(uses))
        self.cells[self._keys + entry] = 0
        evicted()
        return entry
