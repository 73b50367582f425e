"""Waits for exchanges: one follower for all of them."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Final

from answerback.concurrency.tasks import Tasks
from answerback.concurrency.turns import LOOK_EVERY, Turns
from answerback.shared.journal.layout import Kind
from answerback.shared.journal.records import Record
from answerback.supervisor.journal.answers import Near, Nearest, bounded
from answerback.supervisor.journal.exchanges import Exchange
from answerback.supervisor.journal.filters import Filter
from answerback.supervisor.journal.following import Follower
from answerback.supervisor.journal.in_progress import InProgress, Pending
from answerback.supervisor.journal.reading import MergedRings

# Rule: a look costs what is new, and its comparison with each wait; what is in progress is looked at once for all.

POLL_SECONDS: Final = 0.02  # between two looks of a watch or a wait
MAX_FOUND: Final = 100  # exchanges that a wait returns


@dataclass(frozen=True, slots=True)
class Waited:
    """The result of a wait."""

    fulfilled: bool
    found: int
    exchanges: Sequence[Exchange]
    nearest: Sequence[Nearest]


class Wait:
    """One wait, and what it has found."""

    def __init__(self, wanted: Filter, count: int, pending: Pending) -> None:
        self.wanted = wanted
        self.pending = pending
        self.near = Near(wanted)
        self.fulfilled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count = count
        self._found: dict[tuple[int, int, int], Record] = {}

    def consider(self, record: Record) -> None:
        """Take note of a record, which may be one that was considered before."""
        if self.wanted.matches(record):
            if record.place not in self._found:
                self._found[record.place] = record if len(self._found) < MAX_FOUND else _bare(record)
            if len(self._found) >= self._count and not self.fulfilled.done():
                self.fulfilled.set_result(None)
            return
        self.near.consider(record)
        if self.wanted.follows_state and self.wanted.may_fit(record):
            self.pending.await_completion(record)

    def result(self, named: Callable[[Record], Exchange]) -> Waited:
        """Return what was found so far."""
        shown = [named(record) for record in list(self._found.values())[:MAX_FOUND]]
        fulfilled = len(self._found) >= self._count
        return Waited(fulfilled, len(self._found), bounded(shown), () if fulfilled else self.near.found(named))


class Waits:
    """All waits in progress."""

    def __init__(
        self, follow: Callable[[], Follower], rings: MergedRings, in_progress: InProgress, turns: Turns
    ) -> None:
        """`follow` returns a follower from now on, which counts nothing."""
        self._follow = follow
        self._rings = rings
        self._turns = turns
        self._in_progress = in_progress
        self._waits: list[Wait] = []
        self._tasks = Tasks()
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, wanted: Filter, count: int, within: float, named: Callable[[Record], Exchange]) -> Waited:
        """Wait until this many exchanges match, for at most `within` seconds. Raises Moving."""
        until = asyncio.get_running_loop().time() + within
        with self._waiting(wanted, count) as wait:
            async for record in self._rings.records():
                wait.consider(record)
            await asyncio.wait([wait.fulfilled], timeout=max(0.0, until - asyncio.get_running_loop().time()))
            if wait.fulfilled.done():
                wait.fulfilled.result()  # raises the error if it has failed
            elif wait.pending.missed:
                wait.near = Near(wanted)
                async for record in self._rings.records():
                    wait.consider(record)
            return wait.result(named)

    @contextmanager
    def _waiting(self, wanted: Filter, count: int) -> Iterator[Wait]:
        """Consider what is appended and completed for a new wait, while the block runs. Raises Moving."""
        wait = Wait(wanted, count, Pending(self._in_progress))
        if self._looking is None:
            self._looking = self._tasks.start(self._look(self._follow()), failure="waits for exchanges have failed")
        self._waits.append(wait)
        try:
            yield wait
        finally:
            self._waits.remove(wait)
            wait.pending.close()

    async def _look(self, follower: Follower) -> None:
        try:
            while self._waits:
                await self._turns.next()
                seen = follower.look()
                await self._show(seen.appended)
                if not seen.more:
                    await asyncio.sleep(POLL_SECONDS)
        except Exception as error:
            for wait in self._waits:
                if not wait.fulfilled.done():
                    wait.fulfilled.set_exception(error)
            raise
        finally:
            self._looking = None

    async def _show(self, appended: Sequence[Record]) -> None:
        """Show all waits what is new to them."""
        considered = 0
        for wait in tuple(self._waits):
            for record in chain(appended, wait.pending.completed()):
                wait.consider(record)
                considered += 1
                if not considered % LOOK_EVERY and self._turns.over():
                    await self._turns.next()


def _bare(record: Record) -> Record:
    """Return a record that is only counted."""
    return Record(
        record.region, record.sequence, record.index, Kind.EXCHANGE, record.connection, record.time, record.state,
        record.number, record.rule, b"", 0, b"", 0,
    )  # fmt: skip
