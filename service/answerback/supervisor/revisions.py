"""The revisions of the configuration, and where they are kept."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from answerback.v1 import config_pb2 as v1

# Rule: a revision is never changed; `config` is the store's own copy and is only read.


@dataclass(frozen=True, slots=True)
class Revision:
    """A configuration that was put in force."""

    number: int
    """Grows by one with each, from 1."""
    etag: str
    """Names it among the revisions of all instances."""
    config: v1.Config
    """As given."""
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """What its `file` fields name, as it was when the revision was made."""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    origin: str = "built-in"
    """Where it came from: `file`, `api`, `built-in`."""
    comment: str = ""


class Conflict(Exception):
    """Another revision has been kept meanwhile."""


class RevisionStore(Protocol):
    """Where revisions are kept; it may be shared."""

    async def newest(self) -> Revision | None:
        """The one with the highest number."""

    async def append(self, revision: Revision, *, after: int) -> None:
        """Keep a revision if the newest is number `after` (0: there is none). Raises Conflict, or OSError."""

    def watch(self, after: int) -> AsyncIterator[Revision]:
        """The newest whenever it is past number `after`, from now on; those in between may be left out."""


class RevisionsInMemory:
    """Keeps the newest for as long as this process lives."""

    def __init__(self) -> None:
        self._newest: Revision | None = None
        self._appended: asyncio.Future[None] | None = None

    async def newest(self) -> Revision | None:
        """See RevisionStore."""
        return self._newest

    async def append(self, revision: Revision, *, after: int) -> None:
        """See RevisionStore."""
        newest = self._newest.number if self._newest else 0
        if newest != after:
            raise Conflict(f"revision {newest} is the newest, not {after}")
        self._newest = revision
        if self._appended is not None:
            self._appended.set_result(None)
            self._appended = None

    async def watch(self, after: int) -> AsyncIterator[Revision]:
        """See RevisionStore."""
        while True:
            while self._newest is None or self._newest.number <= after:
                if self._appended is None:
                    self._appended = asyncio.get_running_loop().create_future()
                await asyncio.shield(self._appended)
            after = self._newest.number
            yield self._newest
