"""Revisions of the configuration, and the interface of their stores."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from answerback.compat import override
from answerback.concurrency.notifier import Notifier
from answerback.language.contents import Files, Large, digest_of
from answerback.language.toxiproxy import without_proxies
from answerback.supervisor.errors import Conflict
from answerback.v1 import config_pb2 as v1

# Rule: a revision is never changed; `config` is the store's own copy and is only read.
# Rule: revisions are ordered by number; the clock may step. Of those of Toxiproxy's API only the last are kept.

FILE: Final = "file"
API: Final = "api"
ROLLBACK: Final = "rollback"
EXPIRY: Final = "expiry"
TOXIPROXY: Final = "toxiproxy-api"
BUILT_IN: Final = "built-in"

KEPT: Final = 1000  # default number of revisions to keep
TOXIPROXY_KEPT: Final = 100  # of those of Toxiproxy's API: a test suite makes several for each test
MEMORY_BYTES: Final = 64 << 20  # bytes of history, if it is only kept in memory


@dataclass(frozen=True, slots=True)
class Revision:
    """A configuration that became active."""

    number: int
    """Increases by one with each revision, from 1."""
    etag: str
    """Identifies the revision among all histories."""
    config: v1.Config
    """The configuration, as given."""
    files: Files = field(default_factory=dict, repr=False)
    """The contents of its `file` fields, when the revision was made."""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    origin: str = BUILT_IN
    """One of `file`, `api`, `rollback`, `expiry`, `toxiproxy-api`, `built-in`."""
    comment: str = ""
    identity: str = ""
    """The authenticated name of the caller, from a certificate or a token."""

    @property
    def entry(self) -> "Entry":
        """Return the revision's entry in the history."""
        return Entry(self.number, self.etag, self.time, self.origin, self.comment, self.identity)


@dataclass(frozen=True, slots=True)
class Entry:
    """A revision without its content, which may be large."""

    number: int
    etag: str
    time: datetime
    origin: str
    comment: str
    identity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much of the history is kept. Old revisions are deleted when one is added; never the newest."""

    count: int = KEPT
    """The maximum number of revisions."""
    age: timedelta | None = None
    """The maximum age of a revision."""

    def first(self, newest: Revision, first_in_time: int) -> int:
        """Return the lowest number to keep, given the first one that is not too old."""
        return min(newest.number, max(newest.number - self.count + 1, first_in_time))

    def since(self, newest: Revision) -> datetime:
        """Return the time before which revisions are too old."""
        try:
            return newest.time - (self.age if self.age is not None else timedelta.max)
        except OverflowError:  # before the year 1
            return datetime.min.replace(tzinfo=UTC)


class RevisionStore(Protocol):
    """A store of revisions; it may be shared. Every method but `etag` and `watch` may raise StoreFailed."""

    def etag(self, number: int) -> str:
        """Return the etag of a revision: the name of this history, a dash, the number."""

    async def newest(self) -> Revision | None:
        """Return the revision with the highest number."""

    async def get(self, number: int) -> Revision | None:
        """Return the revision with this number, if it is kept."""

    async def page(self, before: int, count: int) -> Sequence[Entry]:
        """Return at most `count` of the kept entries, with numbers below `before`, newest first."""

    async def append(self, revision: Revision, *, after: int) -> None:
        """Save a revision if the newest has number `after` (0: there is none). Raises Conflict."""

    def watch(self, after: int) -> AsyncIterator[Revision]:
        """Yield every revision after number `after`, in order, as they arrive; deleted ones are skipped."""

    async def applied_file(self) -> bytes:
        """Return the fingerprint of the configuration file when it was last applied; empty if never."""

    async def note_file(self, applied: bytes) -> None:
        """The file was applied and is active; `append` notes this by itself for revisions from the file."""

    async def close(self) -> None:
        """Close the store. It may not be used afterwards."""


def fingerprint(config: v1.Config, files: Files) -> bytes:
    """Return a digest that is equal exactly for equal content, without the listeners that Toxiproxy's API made."""
    whole = hashlib.sha256(without_proxies(config).SerializeToString(deterministic=True))
    for name in sorted(files):
        whole.update(hashlib.sha256(name.encode()).digest())
        whole.update(digest_of(files[name]))
    return whole.digest()


class HistorySize:
    """The size of the contents of some revisions, in bytes; a large file of several revisions is counted once."""

    def __init__(self) -> None:
        self.total = 0
        self._own: dict[int, int] = {}
        self._large: Counter[Large] = Counter()

    def add(self, revision: Revision) -> None:
        """Count a revision that is now kept."""
        own = revision.config.ByteSize()
        for content in revision.files.values():
            if not isinstance(content, Large):
                own += len(content)
            else:
                self.total += 0 if content in self._large else len(content)
                self._large[content] += 1
        self._own[revision.number] = own
        self.total += own

    def remove(self, revision: Revision) -> None:
        """Count a revision no longer."""
        self.total -= self._own.pop(revision.number)
        for content in revision.files.values():
            if isinstance(content, Large):
                self._large[content] -= 1
                if not self._large[content]:
                    del self._large[content]
                    self.total -= len(content)


class RevisionsInMemory(RevisionStore):
    """Keeps revisions while this process lives, in at most `limit` bytes."""

    def __init__(self, history: str, retention: Retention | None = None, *, limit: int = MEMORY_BYTES) -> None:
        """`history` names it."""
        self._history = history
        self._retention = retention or Retention()
        self._limit = limit
        self._kept: dict[int, Revision] = {}  # oldest first
        self._size = HistorySize()
        self._file = b""
        self._appended = Notifier()

    @override
    def etag(self, number: int) -> str:
        return f"{self._history}-{number}"

    @override
    async def newest(self) -> Revision | None:
        return self._kept[max(self._kept)] if self._kept else None

    @override
    async def get(self, number: int) -> Revision | None:
        return self._kept.get(number)

    @override
    async def page(self, before: int, count: int) -> Sequence[Entry]:
        numbers = sorted((number for number in self._kept if number < before), reverse=True)
        return [self._kept[number].entry for number in numbers[:count]]

    @override
    async def append(self, revision: Revision, *, after: int) -> None:
        newest = max(self._kept, default=0)
        if newest != after:
            raise Conflict(f"revision {newest} is the newest, not {after}")
        self._kept[revision.number] = revision
        self._size.add(revision)
        self._prune(revision)
        if revision.origin == FILE:
            self._file = fingerprint(revision.config, revision.files)
        self._appended.notify()

    @override
    async def watch(self, after: int) -> AsyncIterator[Revision]:
        while True:
            appended = self._appended.changed()
            past = min((number for number in self._kept if number > after), default=None)
            if past is None:
                await appended
            else:
                after = past
                yield self._kept[past]

    @override
    async def applied_file(self) -> bytes:
        return self._file

    @override
    async def note_file(self, applied: bytes) -> None:
        self._file = applied

    @override
    async def close(self) -> None:
        pass

    def _prune(self, newest: Revision) -> None:
        since = self._retention.since(newest)
        in_time = next(number for number, kept in self._kept.items() if kept.time >= since)
        first = self._retention.first(newest, in_time)
        while (oldest := next(iter(self._kept))) < first or (self._size.total > self._limit and oldest < newest.number):
            self._size.remove(self._kept.pop(oldest))
        if newest.origin == TOXIPROXY:
            made = [number for number, kept in self._kept.items() if kept.origin == TOXIPROXY]
            for number in made[:-TOXIPROXY_KEPT]:
                self._size.remove(self._kept.pop(number))
