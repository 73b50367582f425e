"""The store in the directory of `--state`: a history that outlives the process, locked by one process."""

# Rule: SQLite is used in one thread, never on the event loop: a disk may be slow.

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from answerback.compat import override
from answerback.concurrency.notifier import Notifier
from answerback.language.contents import Contents
from answerback.supervisor.errors import StartError, StoreCorrupt, StoreFailed, StoreFull
from answerback.supervisor.revisions.sqlite import NAME, Database, TooNew
from answerback.supervisor.revisions.store import Entry, Retention, Revision, RevisionStore

LOCK: Final = "lock"

T = TypeVar("T")

WRITABLE: Final = "use a writable directory"
DAMAGED: Final = "restore a backup, or move it away to start a new history"
# SQLite's primary result codes (sqlite.org/rescode.html): the message, and what to do.
FAILURES: Final[dict[int, tuple[type[StoreFailed], str, str]]] = {
    sqlite3.SQLITE_FULL: (StoreFull, "no space left", "free some space, or use another directory"),
    sqlite3.SQLITE_READONLY: (StoreFailed, f"{NAME} cannot be written to", WRITABLE),
    sqlite3.SQLITE_CANTOPEN: (StoreFailed, "no file can be created in it", WRITABLE),
    sqlite3.SQLITE_BUSY: (StoreFailed, f"another program has locked {NAME}", "find it with `fuser`, and let it finish"),
    sqlite3.SQLITE_CORRUPT: (StoreCorrupt, f"{NAME} is damaged", DAMAGED),
    sqlite3.SQLITE_NOTADB: (StoreCorrupt, f"{NAME} is not a database", DAMAGED),
}


class SqliteStore(RevisionStore):
    """A RevisionStore in a directory. Create it with `open`; call `close` at the end."""

    def __init__(self, folder: Path, thread: ThreadPoolExecutor, database: Database, lock: int) -> None:
        self._folder = folder
        self._thread = thread
        self._database = database
        self._lock = lock
        self._appended = Notifier()

    @classmethod
    async def open(cls, folder: Path, retention: Retention, contents: Contents | None = None) -> "SqliteStore":
        """Open or create the directory; contents of files are kept in `contents`. Raises StartError."""
        thread = ThreadPoolExecutor(1, "state")
        try:
            loop = asyncio.get_running_loop()
            database, lock = await loop.run_in_executor(thread, _open, folder, retention, contents)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(folder, thread, database, lock)

    @override
    def etag(self, number: int) -> str:
        return self._database.etag(number)

    @override
    async def newest(self) -> Revision | None:
        return await self._ask(lambda: self._database.get(self._database.newest()))

    @override
    async def get(self, number: int) -> Revision | None:
        return await self._ask(lambda: self._database.get(number))

    @override
    async def page(self, before: int, count: int) -> Sequence[Entry]:
        return await self._ask(lambda: self._database.page(before, count))

    @override
    async def append(self, revision: Revision, *, after: int) -> None:
        await self._ask(lambda: self._database.append(revision, after))
        self._appended.notify()

    @override
    async def watch(self, after: int) -> AsyncIterator[Revision]:
        while True:
            appended = self._appended.changed()
            revision = await self._ask(partial(self._database.past, after))
            if revision is None:
                await appended
            else:
                after = revision.number
                yield revision

    @override
    async def applied_file(self) -> bytes:
        return await self._ask(self._database.applied_file)

    @override
    async def note_file(self, applied: bytes) -> None:
        await self._ask(lambda: self._database.note_file(applied))

    @override
    async def close(self) -> None:
        await self._ask(self._database.close)
        self._thread.shutdown()
        os.close(self._lock)

    async def _ask(self, question: Callable[[], T]) -> T:
        """Run a function in the thread. Raises StoreFailed."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, question)
        except sqlite3.Error as error:
            kind, what, _ = explained(error)
            raise kind(f"--state {self._folder}: {what}") from None
        except StoreCorrupt as error:
            raise StoreCorrupt(f"--state {self._folder}: {error}") from None
        except OSError as error:  # no descriptor is free for the content of a file
            raise StoreFailed(f"--state {self._folder}: {error.strerror or error}") from None


def explained(error: sqlite3.Error) -> tuple[type[StoreFailed], str, str]:
    """Translate an SQLite error: the exception to raise, its message, and what to do."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the extended code is in the high bits
    return FAILURES.get(code, (StoreFailed, str(error), "check the directory and the system log"))


def _open(folder: Path, retention: Retention, contents: Contents | None) -> tuple[Database, int]:
    """Open the database; runs in the thread. Raises StartError."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = _locked(folder)
    except OSError as error:
        raise _start_error(folder, error.strerror or str(error), WRITABLE) from None
    try:
        return Database(folder, retention, contents), lock
    except BaseException as error:
        os.close(lock)
        match error:
            case sqlite3.Error():
                _, what, advice = explained(error)
                raise _start_error(folder, what, advice) from None
            case StoreCorrupt():
                raise _start_error(folder, str(error), DAMAGED) from None
            case TooNew():
                raise _start_error(folder, str(error), "use the version that wrote it") from None
            case OSError():
                raise _start_error(folder, error.strerror or str(error), WRITABLE) from None
        raise


def _locked(folder: Path) -> int:
    """Lock the directory; return the lock's descriptor. The lock ends with the process. Raises OSError, StartError."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        advice = f"give each server its own directory; `fuser {folder / LOCK}` shows the process"
        raise _start_error(folder, "another server uses it", advice) from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _start_error(folder: Path, what: str, advice: str) -> StartError:
    return StartError(f"--state {folder}: {what}; {advice}")
