"""Where the entry of a key is looked for, in a table in shared memory: in one bucket of 64 entries.

A key is a keyed hash, whose secret all workers share: peers can choose neither their bucket nor another peer's key.
"""

import os
from hashlib import blake2b
from typing import Final

from answerback.shared.counters import SharedCounters
from answerback.shared.listener_counters import Cells

# Rule: this only reads the keys. Its user writes them, under the lock.
# Rule: a key of 0 is none.

BUCKET: Final = 64  # entries; in a table that is half full of random keys, one bucket in 10 million is full
SECRET_CELLS: Final = 2  # at the beginning of the shared cells


class KeyTable:
    """The keys of a table: `size` cells from `first` on."""

    __slots__ = ("_buckets", "_cells", "_first", "_secret")

    def __init__(self, memory: SharedCounters, cells: Cells, first: int, size: int) -> None:
        self._cells = cells
        self._first = first
        self._buckets = size // BUCKET
        self._secret = shared_secret(memory)

    def hash(self, data: bytes) -> int:
        """Return the key of this data, which is not 0."""
        digest = blake2b(data, digest_size=8, key=self._secret).digest()
        return int.from_bytes(digest, "little") or 1

    def bucket(self, number: int) -> int:
        """Return the first entry of the bucket for this number."""
        return number % self._buckets * BUCKET

    def keys(self, bucket: int) -> list[int]:
        """Return the keys of a bucket."""
        first = self._first + bucket
        keys: list[int] = self._cells[first : first + BUCKET].tolist()
        return keys

    def find(self, bucket: int, key: int) -> int | None:
        """Return the entry of a key; None if it has none in its bucket."""
        try:
            return bucket + self.keys(bucket).index(key)
        except ValueError:
            return None


def shared_secret(memory: SharedCounters) -> bytes:
    """Return the secret of the hash; the first worker that needs it creates it."""
    secret = memory.shared[:SECRET_CELLS]
    with memory.locked():
        if not secret[1]:  # written last
            for index in range(SECRET_CELLS):
                secret[index] = int.from_bytes(os.urandom(8), "little") | 1
    return secret.tobytes()
