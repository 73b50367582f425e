"""Queries on the history of the configuration: one revision, a page, or a stream of new ones."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from answerback.supervisor.revisions.store import Entry, Revision, RevisionStore

# Rule: a watcher has no queue of its own, it reads the store at its own pace: a slow one costs nothing, and learns how
#       many revisions were deleted before it read them.

WHOLE_PAGE_BYTES: Final = 3 << 20  # bytes of configurations per page: clients accept 4 MiB by default

_MARK: Final = re.compile(r".*-([1-9][0-9]{0,17})", re.ASCII | re.DOTALL)


class NotKept(Exception):
    """The revision does not exist, or is not kept any more."""


class NotOfThisHistory(Exception):
    """The etag or page token belongs to another history, or is invalid."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the history, newest first."""

    revisions: Sequence[Revision | Entry]
    next_token: str
    """The token of the next page; empty on the last."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A revision that became active."""

    revision: Revision
    skipped: int
    """How many revisions since the previously seen one were deleted before they could be read."""


class History:
    """Reads a store. Every method may raise StoreFailed."""

    def __init__(self, store: RevisionStore) -> None:
        self._store = store

    async def get(self, number: int) -> Revision:
        """Return one revision. Raises NotKept."""
        found = await self._store.get(number)
        if found is None:
            raise NotKept(f"revision {number} is not in the history; run `answerback history` for the list")
        return found

    async def page(self, token: str, count: int, *, whole: bool) -> Page:
        """Return at most `count` revisions, with their content if `whole`; then perhaps fewer.

        Raises NotOfThisHistory.
        """
        before = self._number(token) if token else 1 << 62
        entries = await self._store.page(before, count + 1)
        listed: Sequence[Revision | Entry] = entries[:count]
        if whole:
            listed = await self._whole(entries[:count])
        more = len(entries) > len(listed) > 0
        return Page(listed, listed[-1].etag if more else "")

    async def watch(self, after_etag: str) -> AsyncIterator[Seen]:
        """Yield every revision after the one of an etag, or from the newest on; endless.

        Raises NotOfThisHistory.
        """
        newest = await self._store.newest()
        number = newest.number if newest is not None else 0
        after = self._number(after_etag) if after_etag else max(number - 1, 0)
        if after > number:
            raise NotOfThisHistory(f"{after_etag}: this history has come to revision {number} only")
        async for revision in self._store.watch(after):
            yield Seen(revision, revision.number - after - 1)
            after = revision.number

    async def _whole(self, entries: Sequence[Entry]) -> list[Revision]:
        found: list[Revision] = []
        size = 0
        for entry in entries:
            revision = await self._store.get(entry.number)
            size += revision.config.ByteSize() if revision is not None else 0
            if revision is None or (found and size > WHOLE_PAGE_BYTES):
                break  # it and those before it have been deleted meanwhile; or the next page begins with it
            found.append(revision)
        return found

    def _number(self, mark: str) -> int:
        """Return the number of an etag of this history; a page token is the etag of the page's last revision."""
        matched = _MARK.fullmatch(mark)
        if matched is None or mark != self._store.etag(int(matched[1])):
            raise NotOfThisHistory(f"{mark!r} is of another history than this one; begin without it")
        return int(matched[1])
