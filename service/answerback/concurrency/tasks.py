"""Tasks that may outlive their callers."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

# Rule: asyncio holds tasks by weak references only, so a task without a waiting caller is held here.

T = TypeVar("T")

log = logging.getLogger(__name__)


class Tasks:
    """Runs tasks, and holds each until it is done, whether its caller still waits or not."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], *, failure: str = "") -> asyncio.Task[T]:
        """Start a task. Without `failure` its exception is for its caller, if that still waits.

        `failure`: the message to log with the exception, for a task that has no caller.
        """
        task = asyncio.get_running_loop().create_task(_logged(work, failure) if failure else work)
        task.add_done_callback(lambda _: work.close())  # if it was cancelled before it began
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, even if the caller is cancelled."""
        return await asyncio.shield(self.start(work))

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: its caller gets it, or has left


async def _logged(work: Coroutine[Any, Any, T], failure: str) -> T:
    try:
        return await work
    except Exception:
        log.critical(failure, exc_info=True)
        raise
