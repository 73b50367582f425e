"""The SQLite database of revisions: schema and queries. Blocking; for one thread.

state       one row: the name of the history, and the fingerprint of the file that was last applied
revisions   a row each: number, time, origin, comment, identity, and the digest of the configuration
files       the files of revisions: number, name, digest
contents    configurations and files by their SHA-256, each stored once, however often it is used
"""

# Rule: every change is one transaction: a crash at any moment leaves the state before or after it.
# Rule: contents are verified against their digest when read: damage is reported, never served.

import hashlib
import os
import secrets
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError

from answerback.language.contents import Content, Contents, digest_of, view_of
from answerback.supervisor.errors import Conflict, StoreCorrupt
from answerback.supervisor.revisions.store import (
    FILE,
    TOXIPROXY,
    TOXIPROXY_KEPT,
    Entry,
    Retention,
    Revision,
    fingerprint,
)
from answerback.v1 import config_pb2 as v1

NAME: Final = "revisions.sqlite3"
UNFINISHED: Final = "revisions.new"
HEADER_BYTES: Final = 512  # bytes of the smallest page; every database has one
MAGIC: Final = b"SQLite format 3\0"
APPLICATION: Final = 0x416E7362  # "Ansb": what file(1) and others tell our databases by
VERSION: Final = 1  # version of the schema; a higher one was written by a later Answerback
PATIENCE: Final = 5.0  # seconds to wait for another program that reads the database, such as a backup
LARGEST: Final = (1 << 63) - 1  # largest of the integers that

_SCHEMA: Final = """
CREATE TABLE state (history TEXT NOT NULL, file BLOB NOT NULL);
CREATE TABLE contents (digest BLOB PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE revisions (
  number INTEGER PRIMARY KEY, time TEXT NOT NULL, origin TEXT NOT NULL, comment TEXT NOT NULL, identity TEXT NOT NULL,
  config BLOB NOT NULL
);
CREATE TABLE files (number INTEGER, name TEXT, digest BLOB NOT NULL, PRIMARY KEY (number, name)) WITHOUT ROWID;
"""
_ENTRY: Final = "SELECT number, time, origin, comment, identity FROM revisions"
# The revisions of an origin but the last ones.
_OLDER: Final = """
DELETE FROM revisions WHERE origin = ? AND number NOT IN
(SELECT number FROM revisions WHERE origin = ? ORDER BY number DESC LIMIT ?)
"""
_UNUSED: Final = """
DELETE FROM contents WHERE digest NOT IN (SELECT config FROM revisions UNION SELECT digest FROM files)
"""


class TooNew(Exception):
    """A later version of Answerback has written the database."""


def _connected(path: Path) -> sqlite3.Connection:
    # A commit deletes the journal; EXTRA waits until that is on disk, so that a power failure cannot restore the
    # journal and undo an acknowledged change.
    connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
    except BaseException:
        connection.close()
        raise
    return connection


def _create(folder: Path) -> None:
    """Create a database without a revision. It is renamed into place when complete: an empty file is a damaged one."""
    unfinished = folder / UNFINISHED
    unfinished.unlink(missing_ok=True)
    (folder / f"{UNFINISHED}-journal").unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # it may contain secrets
    connection = _connected(unfinished)
    try:
        connection.execute("BEGIN IMMEDIATE")
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute("INSERT INTO state VALUES (?, ?)", (secrets.token_hex(6), b""))
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()
    unfinished.rename(folder / NAME)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_size(path: Path) -> None:
    """Raises StoreCorrupt for a file that was cut short; SQLite takes some of them for empty, others for whole.

    See sqlite.org/fileformat.html, 1.3: the size of a page, and how many there are. Where a journal says that a change
    was interrupted, SQLite restores what was before.
    """
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        size = os.fstat(file.fileno()).st_size
    if len(header) < HEADER_BYTES:
        raise StoreCorrupt(f"{NAME} is damaged: it has {size} byte{'s' * (size != 1)}")
    if header.startswith(MAGIC) and not os.path.lexists(f"{path}-journal"):
        (page,) = struct.unpack_from(">H", header, 16)
        (pages,) = struct.unpack_from(">I", header, 28)
        whole = (page if page > 1 else 1 << 16) * pages
        if size < whole:
            raise StoreCorrupt(f"{NAME} is damaged: it has {size} bytes, and should have {whole}")


class Database:
    """One connection. Every method may raise sqlite3.Error or StoreCorrupt."""

    def __init__(self, folder: Path, retention: Retention, contents: Contents | None = None) -> None:
        """Open or create it; contents of files are kept in `contents`. Also raises OSError and TooNew."""
        self._retention = retention
        self._contents = contents or Contents()
        path = folder / NAME
        if not os.path.lexists(path):
            _create(folder)
        _check_size(path)
        self._connection = _connected(path)
        try:
            self.history = self._begin()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def etag(self, number: int) -> str:
        """Return the etag of a revision of this history."""
        return f"{self.history}-{number}"

    def newest(self) -> int:
        """Return the highest number; 0 if there is none."""
        found: int = self._one("SELECT coalesce(max(number), 0) FROM revisions")
        return found

    def get(self, number: int) -> Revision | None:
        """Return the revision with this number, if it is kept."""
        if number > LARGEST:
            return None
        rows = self._connection.execute(f"{_ENTRY} WHERE number = ?", (number,)).fetchall()
        if not rows:
            return None
        entry = self._entry(rows[0])
        config = v1.Config()
        try:
            config.ParseFromString(self._content(self._one("SELECT config FROM revisions WHERE number = ?", number)))
        except DecodeError:
            raise StoreCorrupt(f"revision {number} is no configuration") from None
        named = self._connection.execute("SELECT name, digest FROM files WHERE number = ?", (number,)).fetchall()
        files = {name: self._file(digest) for name, digest in named}
        return Revision(number, entry.etag, config, files, entry.time, entry.origin, entry.comment, entry.identity)

    def page(self, before: int, count: int) -> Sequence[Entry]:
        """Return at most `count` of the kept entries, with numbers below `before`, newest first."""
        rows = self._connection.execute(
            f"{_ENTRY} WHERE number < ? ORDER BY number DESC LIMIT ?", (min(before, LARGEST), count)
        )
        return list(map(self._entry, rows))

    def past(self, after: int) -> Revision | None:
        """Return the first kept revision after number `after`."""
        number = self._one("SELECT min(number) FROM revisions WHERE number > ?", after)
        return None if number is None else self.get(number)

    def append(self, revision: Revision, after: int) -> None:
        """Save a revision if the newest has number `after`. Raises Conflict."""
        try:
            with self._transaction():
                newest = self.newest()
                if newest != after:
                    raise Conflict(f"revision {newest} is the newest, not {after}")
                self._prune(revision)
                self._insert(revision)
        except sqlite3.Error:
            # The disk may have failed after the commit: then the revision is saved, and a caller told otherwise could
            # never again append a revision after its own.
            if self.newest() != revision.number:
                raise

    def applied_file(self) -> bytes:
        """Return the fingerprint of the configuration file when it was last applied; empty if never."""
        found: bytes = self._one("SELECT file FROM state")
        return found

    def note_file(self, applied: bytes) -> None:
        """Save the fingerprint of the configuration file that is active."""
        with self._transaction():
            self._connection.execute("UPDATE state SET file = ?", (applied,))

    def _begin(self) -> str:
        """Return the name of the history. It writes, to check that it can."""
        with self._transaction():
            application, version = self._one("PRAGMA application_id"), self._one("PRAGMA user_version")
            if application != APPLICATION:
                raise StoreCorrupt(f"{NAME} is a database of another program")
            if version > VERSION:
                raise TooNew(f"{NAME} has schema {version}, and this Answerback knows no later one than {VERSION}")
            if (found := self._one("PRAGMA quick_check(1)")) != "ok":
                raise StoreCorrupt(f"{NAME}: {' '.join(found.split())}")
            self._connection.execute(f"PRAGMA user_version = {VERSION}")
        self.newest()
        history: str = self._one("SELECT history FROM state")
        return history

    def _insert(self, revision: Revision) -> None:
        config = self._keep(revision.config.SerializeToString(deterministic=True))
        when = revision.time.isoformat(timespec="microseconds")
        row = (revision.number, when, revision.origin, revision.comment, revision.identity, config)
        self._connection.execute("INSERT INTO revisions VALUES (?, ?, ?, ?, ?, ?)", row)
        named = [(revision.number, name, self._keep(data)) for name, data in revision.files.items()]
        self._connection.executemany("INSERT INTO files VALUES (?, ?, ?)", named)
        if revision.origin == FILE:
            applied = fingerprint(revision.config, revision.files)
            self._connection.execute("UPDATE state SET file = ?", (applied,))

    def _keep(self, content: Content) -> bytes:
        """Store a content; return its digest."""
        digest = digest_of(content)
        if self._one("SELECT 1 FROM contents WHERE digest = ?", digest) is None:
            self._connection.execute("INSERT INTO contents VALUES (?, ?)", (digest, view_of(content)))
        return digest

    def _prune(self, newest: Revision) -> None:
        """Delete old revisions before `newest` is inserted, so that there is room for it."""
        since = self._retention.since(newest).isoformat(timespec="microseconds")
        in_time = self._one("SELECT min(number) FROM revisions WHERE time >= ?", since)
        first = self._retention.first(newest, newest.number if in_time is None else in_time)
        removed = self._connection.execute("DELETE FROM revisions WHERE number < ?", (first,)).rowcount
        if newest.origin == TOXIPROXY:
            removed += self._connection.execute(_OLDER, (TOXIPROXY, TOXIPROXY, TOXIPROXY_KEPT - 1)).rowcount
        if removed:
            self._connection.execute("DELETE FROM files WHERE number NOT IN (SELECT number FROM revisions)")
            self._connection.execute(_UNUSED)

    def _file(self, digest: bytes) -> Content:
        """Return a file's content, from memory or from the database."""
        return self._contents.known(digest) or self._contents.of(self._content(digest))

    def _content(self, digest: bytes) -> bytes:
        data: bytes | None = self._one("SELECT data FROM contents WHERE digest = ?", digest)
        if data is None or hashlib.sha256(data).digest() != digest:
            raise StoreCorrupt(f"{NAME}: content {digest.hex()} is {'missing' if data is None else 'damaged'}")
        return data

    def _entry(self, row: tuple[int, str, str, str, str]) -> Entry:
        number, when, origin, comment, identity = row
        return Entry(number, self.etag(number), datetime.fromisoformat(when), origin, comment, identity)

    def _one(self, statement: str, *values: object) -> Any:
        """Return the first column of the only row; None if there is no row."""
        row = self._connection.execute(statement, values).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # it may have been rolled back already
                self._connection.execute("ROLLBACK")
            raise
