"""Runs operations one at a time, in the order in which they were requested."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from answerback.concurrency.tasks import Tasks

# Rule: an operation that has begun is finished, or undone, even if its caller is cancelled; a caller cancelled before
#       that has requested nothing.

T = TypeVar("T")


class SerialRunner:
    """Runs operations in order, until it is closed."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._tasks = Tasks()
        self._closed_by: type[Exception] | None = None

    def close(self, error: type[Exception]) -> None:
        """From now on, begin no operation: raise this error instead."""
        self._closed_by = error

    def check_open(self) -> None:
        """Raise the error that `close` was given, if it was called."""
        if self._closed_by is not None:
            raise self._closed_by

    async def run(self, operation: Coroutine[Any, Any, T]) -> T:
        """Run an operation to its end when those before it have ended. Raises the error that `close` was given."""
        try:
            await self._lock.acquire()
        except BaseException:
            operation.close()
            raise
        return await self._tasks.finish(self._holding(operation))

    @asynccontextmanager
    async def between(self) -> AsyncIterator[None]:
        """Run the block between two operations, closed or not; it is cancelled with its caller."""
        async with self._lock:
            yield

    async def _holding(self, operation: Coroutine[Any, Any, T]) -> T:
        try:
            self.check_open()
            return await operation
        finally:
            operation.close()  # if it has not begun
            self._lock.release()
