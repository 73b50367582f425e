"""Runs operations one at a time, in the order in which they were requested."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

# Rule: an operation that has begun is finished, or undone, even if its caller is cancelled; a caller cancelled before
#       that has requested nothing.

T = TypeVar("T")


class SerialRunner:
    """Runs operations in order; `permitted` raises if none may run."""

    def __init__(self, permitted: Callable[[], None]) -> None:
        self._permitted = permitted
        self._turn = asyncio.Lock()
        self._taken: set[asyncio.Task[object]] = set()

    async def take(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run an operation to its end when its turn comes."""
        await self._turn.acquire()

        async def holding() -> T:
            try:
                self._permitted()
                return await work()
            finally:
                self._turn.release()

        task = asyncio.get_running_loop().create_task(holding())
        self._taken.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def between(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run an operation between others, permitted or not; it is cancelled with its caller."""
        async with self._turn:
            return await work()

    def _finished(self, task: asyncio.Task[T]) -> None:
        self._taken.discard(task)
        if not task.cancelled():
            task.exception()  # it has been raised to the caller, if that is still waiting
