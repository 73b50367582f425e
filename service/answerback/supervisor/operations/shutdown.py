"""Shuts down in order, within the grace period."""

import asyncio
import logging
from collections.abc import Collection
from time import monotonic
from typing import Any, Final

from answerback.internal.v1.link_pb2 import Command, Drain, Stop
from answerback.supervisor.options import Options
from answerback.supervisor.rollout.address_closer import AddressCloser
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerProcess

# Rule: this returns within the grace period, whatever workers and clients do.

# The part of the grace period that is reserved for resetting open connections, for killing workers that do not respond,
# and for closing the admin API.
RESERVE_SECONDS: Final = 1.0
RESERVE_SHARE: Final = 0.25  # max. share of the grace period

log = logging.getLogger(__name__)


async def shut_down(
    pool: WorkerPool, sockets: Sockets, closer: AddressCloser, options: Options, abort: asyncio.Event
) -> None:
    """Drain the workers, then end them. `abort` interrupts every wait."""
    reserve = min(RESERVE_SECONDS, options.grace_seconds * RESERVE_SHARE)
    deadline = monotonic() + options.grace_seconds - reserve
    aborted = asyncio.get_running_loop().create_task(abort.wait())
    try:
        await asyncio.wait((aborted,), timeout=min(options.drain_delay_seconds, deadline - monotonic()))
        pool.cover_all_slots()
        silent = asyncio.get_running_loop().create_task(closer.silence_all(deadline - monotonic()))
        await asyncio.wait((silent, aborted), return_when=asyncio.FIRST_COMPLETED)
        silent.cancel()
        drained = _drain(pool, sockets)
        if drained and not aborted.done():
            everything = asyncio.gather(*drained)
            await asyncio.wait(
                (everything, aborted), timeout=deadline - monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
            everything.cancel()
    finally:
        aborted.cancel()
    await end(pool.processes, reserve / 2)
    pool.stop_watching()
    pool.close_dead_workers()


def _drain(pool: WorkerPool, sockets: Sockets) -> list[asyncio.Task[None]]:
    """Let queued connections be accepted, and no more; a task per worker, done when it has no connection left."""
    pool.stop_restarting()
    loop = asyncio.get_running_loop()
    drained = []
    for worker in pool.change_targets:
        event = worker.expect("drained")
        worker.tell(Command(drain=Drain()))
        drained.append(loop.create_task(either(event, worker.exited)))
    sockets.close_all()  # each worker has its own copies until its queues are empty
    return drained


async def either(*futures: asyncio.Future[Any]) -> None:
    """Wait for the first of these futures."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def end(processes: Collection[WorkerProcess], within_seconds: float) -> None:
    """Let the workers reset open connections and exit; kill those that do not in time."""
    for process in processes:
        process.ending = True
        process.tell(Command(stop=Stop()))
    everyone = [process.exited for process in processes]
    if not everyone:
        return
    await asyncio.wait(everyone, timeout=within_seconds)
    for process in processes:
        process.kill(f"it did not exit within {within_seconds:g} s")
    await asyncio.wait(everyone)
