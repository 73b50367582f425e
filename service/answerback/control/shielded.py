"""Work that must finish although its caller hangs up: a client's deadline cancels the handler between two awaits."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

_running: set[asyncio.Task[Any]] = set()  # asyncio holds tasks weakly


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which goes on when the caller is cancelled; what it then raises is logged."""
    task = asyncio.get_running_loop().create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_unheard)
        raise


def _unheard(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("a call failed after its client had left: %s", error)
