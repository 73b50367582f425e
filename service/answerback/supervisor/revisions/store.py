"""The revisions of the configuration, and where they are kept."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from answerback.language.contents import Files, Large, digest_of
from answerback.supervisor.aio.notifier import Notifier
from answerback.v1 import config_pb2 as v1

# Rule: a revision is never changed; `config` is the store's own copy and is only read.
# Rule: the order of revisions is that of their numbers, which have no gaps; the clock may step as it likes.

FILE: Final = "file"
API: Final = "api"
ROLLBACK: Final = "rollback"
BUILT_IN: Final = "built-in"

KEPT: Final = 1000  # revisions, unless told otherwise
MEMORY_BYTES: Final = 64 << 20  # of history, in a process that keeps it nowhere else


@dataclass(frozen=True, slots=True)
class Revision:
    """A configuration that was put in force."""

    number: int
    """Grows by one with each, from 1."""
    etag: str
    """Names it among the revisions of all histories."""
    config: v1.Config
    """As given."""
    files: Files = field(default_factory=dict, repr=False)
    """What its `file` fields name, as it was when the revision was made."""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    origin: str = BUILT_IN
    """Where it came from: `file`, `api`, `rollback`, `built-in`."""
    comment: str = ""
    identity: str = ""
    """Who asked for it, as far as it was proved: by a certificate or a token."""

    @property
    def entry(self) -> "Entry":
        """What the history says of it."""
        return Entry(self.number, self.etag, self.time, self.origin, self.comment, self.identity)

    def size(self, counted: set[Large]) -> int:
        """Of its content, in bytes, but for large files that are among `counted`, to which its own are added."""
        new = [each for each in self.files.values() if not isinstance(each, Large) or each not in counted]
        counted.update(each for each in new if isinstance(each, Large))
        return self.config.ByteSize() + sum(map(len, new))


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
    """How much of the history is kept. What is too old goes when a revision is added; the newest never does."""

    count: int = KEPT
    """So many revisions, at most."""
    age: timedelta | None = None
    """None that was made longer ago."""

    def first(self, newest: Revision, first_in_time: int) -> int:
        """The lowest number to keep, given the first one that is not too old."""
        return min(newest.number, max(newest.number - self.count + 1, first_in_time))

    def since(self, newest: Revision) -> datetime:
        """What was made before is too old."""
        try:
            return newest.time - (self.age if self.age is not None else timedelta.max)
        except OverflowError:  # before the year 1
            return datetime.min.replace(tzinfo=UTC)


class Conflict(Exception):
    """Another revision has been kept meanwhile."""


class StoreFailed(Exception):
    """The store could not do it now; the text says why. Nothing has changed in it."""


class StoreFull(StoreFailed):
    """There is no room for another revision."""


class StoreCorrupt(StoreFailed):
    """What was kept is damaged."""


class RevisionStore(Protocol):
    """Where revisions are kept; it may be shared. Everything but `etag` and `watch` may raise StoreFailed."""

    def etag(self, number: int) -> str:
        """The etag of a revision: the name of this history, a dash, the number."""

    async def newest(self) -> Revision | None:
        """The one with the highest number."""

    async def get(self, number: int) -> Revision | None:
        """The one of a number, if it is kept."""

    async def page(self, before: int, count: int) -> Sequence[Entry]:
        """At most `count` of those kept, with numbers below `before`, the newest first."""

    async def append(self, revision: Revision, *, after: int) -> None:
        """Keep a revision if the newest is number `after` (0: there is none). Raises Conflict."""

    def watch(self, after: int) -> AsyncIterator[Revision]:
        """Every revision past number `after`, in order, as they come; without those that are no longer kept then."""

    async def applied_file(self) -> bytes:
        """The fingerprint of the configuration file when it was last applied; empty if it never was."""

    async def note_file(self, applied: bytes) -> None:
        """The file was applied and is in force; `append` notes it by itself for revisions that came from it."""

    async def close(self) -> None:
        """Let go of it. Nothing may be asked of it afterwards."""


def fingerprint(config: v1.Config, files: Files) -> bytes:
    """The same for the same content, and for no other."""
    whole = hashlib.sha256(config.SerializeToString(deterministic=True))
    for name in sorted(files):
        whole.update(hashlib.sha256(name.encode()).digest())
        whole.update(digest_of(files[name]))
    return whole.digest()


class RevisionsInMemory:
    """Keeps them for as long as this process lives, but no more of them than `limit` bytes."""

    def __init__(self, history: str, retention: Retention | None = None, *, limit: int = MEMORY_BYTES) -> None:
        """`history` names it."""
        self._history = history
        self._retention = retention or Retention()
        self._limit = limit
        self._kept: dict[int, Revision] = {}
        self._file = b""
        self._appended = Notifier()

    def etag(self, number: int) -> str:
        """See RevisionStore."""
        return f"{self._history}-{number}"

    async def newest(self) -> Revision | None:
        """See RevisionStore."""
        return self._kept[max(self._kept)] if self._kept else None

    async def get(self, number: int) -> Revision | None:
        """See RevisionStore."""
        return self._kept.get(number)

    async def page(self, before: int, count: int) -> Sequence[Entry]:
        """See RevisionStore."""
        numbers = sorted((number for number in self._kept if number < before), reverse=True)
        return [self._kept[number].entry for number in numbers[:count]]

    async def append(self, revision: Revision, *, after: int) -> None:
        """See RevisionStore."""
        newest = max(self._kept, default=0)
        if newest != after:
            raise Conflict(f"revision {newest} is the newest, not {after}")
        self._kept[revision.number] = revision
        self._prune(revision)
        if revision.origin == FILE:
            self._file = fingerprint(revision.config, revision.files)
        self._appended.ring()

    async def watch(self, after: int) -> AsyncIterator[Revision]:
        """See RevisionStore."""
        while True:
            news = self._appended.next()
            past = min((number for number in self._kept if number > after), default=None)
            if past is None:
                await news
            else:
                after = past
                yield self._kept[past]

    async def applied_file(self) -> bytes:
        """See RevisionStore."""
        return self._file

    async def note_file(self, applied: bytes) -> None:
        """See RevisionStore."""
        self._file = applied

    async def close(self) -> None:
        """See RevisionStore."""

    def _prune(self, newest: Revision) -> None:
        since = self._retention.since(newest)
        in_time = min(number for number, kept in self._kept.items() if kept.time >= since)
        first = self._retention.first(newest, in_time)
        size, counted = 0, set[Large]()
        for number in sorted(self._kept, reverse=True):
            size += self._kept[number].size(counted)
            if number < first or (size > self._limit and number < newest.number):
                del self._kept[number]
