"""Variables that all connections of all workers share: bytes under a key, in an LMDB file that the workers map."""

# Rule: one write is one transaction, so a worker that is killed leaves a write whole or undone, and its lock is
#       released by the kernel (a robust mutex).
# Rule: the file is never written through the map: where no memory is left, a write fails instead of the process.
# Rule: bounds are checked inside the transaction: two workers cannot pass them together.

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, cast

import lmdb

from answerback.core.shared_view import SharedWriteFailed, total_of

MAX_BYTES: Final = 64 << 20  # of keys and values together
MAX_KEYS: Final = 100_000
MAX_KEY_BYTES: Final = 511  # LMDB's own limit
# Virtual memory, of which pages are taken when they are written. Whole pages for values and half-full pages of keys
# come to less than four times the bytes; a change copies pages before it frees them.
MAP_BYTES: Final = 16 * MAX_BYTES
READERS: Final = 4096  # snapshots open at once, over all workers

FILE: Final = "variables"
_USAGE: Final = b"bytes"


class SharedVariables:
    """The variables; opened by each process for itself. Raises OSError if the file cannot be used."""

    def __init__(self, folder: Path, on_read: Callable[[], object] | None = None) -> None:
        """`on_read` is called when a view begins to read: have it call `release` soon."""
        try:
            self._env = lmdb.open(
                str(folder / FILE),
                subdir=False,
                map_size=MAP_BYTES,
                max_dbs=2,
                max_readers=READERS,
                sync=False,  # nothing outlives the machine
                metasync=False,
                writemap=False,
                meminit=False,
            )
            self._values = self._env.open_db(b"values")
            self._meta = self._env.open_db(b"meta")
        except lmdb.Error as error:
            raise OSError(str(error)) from None
        self._env.reader_check()  # slots of workers that were killed
        self._reading: lmdb.Transaction | None = None
        self._reader: Snapshot | None = None
        self._on_read = on_read

    def close(self) -> None:
        """Close the file."""
        self.release()
        self._env.close()

    def view(self) -> "Snapshot":
        """Return what an event sees. Its moment is that of its first look."""
        view = object.__new__(Snapshot)
        view.variables = self
        view.own = None
        return view

    def release(self) -> None:
        """End the view that reads: pages that were freed since can be used again."""
        if self._reading is not None:
            self._reading.abort()
            self._reading = self._reader = None

    def reading(self, reader: "Snapshot") -> lmdb.Transaction:
        """Return what this view reads in; another view that was reading sees a new moment from then on."""
        reading = self._reading
        if reading is None or self._reader is not reader:
            if reading is not None:
                reading.abort()
            elif self._on_read is not None:
                self._on_read()
            self._reading = reading = self._env.begin(self._values)
            self._reader = reader
        return reading

    def clear(self) -> None:
        """Remove all variables, at once."""
        try:
            with self._env.begin(self._values, write=True) as transaction:
                transaction.drop(self._values, delete=False)
                transaction.put(_USAGE, b"0", db=self._meta)
        except lmdb.Error as error:
            raise _failed(error) from None

    def usage(self) -> tuple[int, int]:
        """Return the number of variables, and the bytes of their keys and values."""
        with self._env.begin() as transaction:
            return transaction.stat(self._values)["entries"], self._used(transaction)

    def put(self, key: bytes, value: bytes) -> None:
        """Store a value. Raises SharedWriteFailed."""
        try:
            with self._env.begin(self._values, write=True) as transaction:
                self._store(transaction, key, value, transaction.get(key))
        except lmdb.Error as error:
            raise _failed(error) from None

    def delete(self, key: bytes) -> None:
        """Remove a variable; one that is absent stays so."""
        if not 0 < len(key) <= MAX_KEY_BYTES:
            return
        try:
            with self._env.begin(self._values, write=True) as transaction:
                former = transaction.pop(key)
                if former is not None:
                    used = self._used(transaction) - len(key) - len(former)
                    transaction.put(_USAGE, b"%d" % used, db=self._meta)
        except lmdb.Error as error:
            raise _failed(error) from None

    def add(self, key: bytes, by: int) -> bytes:
        """Add to the number in a variable, of which an absent one is 0; return the digits of the sum.

        Raises EvaluationError, or SharedWriteFailed.
        """
        try:
            with self._env.begin(self._values, write=True) as transaction:
                former = transaction.get(key)
                digits = b"%d" % total_of(former, by)
                self._store(transaction, key, digits, former)
        except lmdb.Error as error:
            raise _failed(error) from None
        return digits

    def _store(self, transaction: lmdb.Transaction, key: bytes, value: bytes, former: bytes | None) -> None:
        if former is not None and len(former) == len(value):
            transaction.put(key, value)  # a sum of as many digits: the count of bytes stays right
            return
        used = self._used(transaction) + len(value) - len(former or b"")
        if former is None:
            used += len(key)
            if transaction.stat(self._values)["entries"] >= MAX_KEYS:
                raise SharedWriteFailed(f"there are {MAX_KEYS} variables")
        if used > MAX_BYTES:
            raise SharedWriteFailed(f"the variables would take more than {MAX_BYTES >> 20} MiB")
        transaction.put(key, value)
        transaction.put(_USAGE, b"%d" % used, db=self._meta)

    def _used(self, transaction: lmdb.Transaction) -> int:
        return int(transaction.get(_USAGE, b"0", db=self._meta))


class Snapshot:
    """What one event sees. See `core.shared_view.SharedView`."""

    __slots__ = ("own", "variables")

    # Set by `SharedVariables.view`: most events read one variable, and a call of `__init__` takes a tenth of that.
    variables: SharedVariables
    own: dict[bytes, bytes | None] | None
    """What the event has written; None if that is nothing."""

    def get(self, key: bytes, /) -> bytes | None:
        """Read a variable."""
        own = self.own
        if own is not None and key in own:
            return own[key]
        if not 0 < len(key) <= MAX_KEY_BYTES:
            return None
        return cast("bytes | None", self.variables.reading(self).get(key))

    def put(self, key: bytes, value: bytes, /) -> None:
        """Store a value."""
        self.variables.put(key, value)
        self._note(key, value)

    def delete(self, key: bytes, /) -> None:
        """Remove a variable."""
        self.variables.delete(key)
        self._note(key, None)

    def add(self, key: bytes, by: int, /) -> bytes:
        """Add to a number."""
        digits = self.variables.add(key, by)
        self._note(key, digits)
        return digits

    def _note(self, key: bytes, value: bytes | None) -> None:
        if self.own is None:
            self.own = {key: value}
        else:
            self.own[key] = value


def _failed(error: lmdb.Error) -> SharedWriteFailed:
    """Say why a change was not made; LMDB has undone what there was of it."""
    if isinstance(error, lmdb.BadValsizeError):
        return SharedWriteFailed(f"a key has 1 to {MAX_KEY_BYTES} bytes")
    return SharedWriteFailed(str(error))


def clear(folder: Path) -> None:
    """Remove all variables of the file in a directory, if there is one. Raises OSError."""
    if (folder / FILE).exists():
        with closing(SharedVariables(folder)) as variables:
            variables.clear()
