"""Lets tasks that have much to do work one after the other, so that they do not hold up the event loop together."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from time import thread_time
from typing import Final, TypeVar

from answerback.concurrency.scheduling import Core

# Rule: a task that has worked for SLICE_SECONDS asks for its next turn, or ends, or waits for something else.
# Rule: others that are ready need not wait for the end of a turn: the core is offered in it, too.

SLICE_SECONDS: Final = 0.002  # CPU time of a turn
LOOK_EVERY: Final = 8  # pieces of work, of some microseconds each, between two calls of `over`

T = TypeVar("T")


class Turns:
    """Gives turns in the order in which they were asked for: at most one in each iteration of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._granting = False
        self._until = 0.0
        self.core = Core()
        """On which the tasks work."""

    def over(self) -> bool:
        """Offer the core to others, and say whether the current turn has used its time."""
        self.core.offer()
        return thread_time() >= self._until

    async def next(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._granting:
            self._granting = True
            loop.call_soon(self._grant, loop)
        await turn
        self._until = thread_time() + SLICE_SECONDS

    async def each(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Yield these; the caller works in the turns of this, and must not wait in between."""
        await self.next()
        for number, item in enumerate(items, 1):
            yield item
            if not number % LOOK_EVERY and self.over():
                await self.next()

    def _grant(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # its task was cancelled otherwise
                turn.set_result(None)
                break
        self._granting = bool(self._waiting)
        if self._granting:
            loop.call_soon(self._grant, loop)
