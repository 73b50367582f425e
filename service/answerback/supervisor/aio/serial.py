"""One thing at a time: whoever wants to change something waits for its turn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

# Rule: what has begun is finished, or undone, although whoever asked may leave; who leaves before has not asked.

T = TypeVar("T")


class SerialRunner:
    """Gives turns, in the order in which they were asked for; `permitted` raises what is to be raised instead."""

    def __init__(self, permitted: Callable[[], None]) -> None:
        self._permitted = permitted
        self._turn = asyncio.Lock()
        self._taken: set[asyncio.Task[object]] = set()

    async def take(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it when its turn comes, to its end."""
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
        """Do it between the turns of others, whether anything is permitted or not; it ends with whoever asked."""
        async with self._turn:
            return await work()

    def _finished(self, task: asyncio.Task[T]) -> None:
        self._taken.discard(task)
        if not task.cancelled():
            task.exception()  # it has been raised to whoever asked, if that one is still there
