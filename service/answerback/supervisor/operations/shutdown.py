"""The end, in order and in time."""

import asyncio
import logging
from collections.abc import Collection
from time import monotonic
from typing import Any, Final

from answerback.internal.v1.link_pb2 import Drain, Order, Stop
from answerback.supervisor.options import Options
from answerback.supervisor.sockets.closing import Closing
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerProcess

# Rule: whatever workers and clients do, this returns within the grace period.

# Of the grace period, what is kept for resetting what did not finish, for killing who does not even do that, and for
# closing the control API afterwards.
RESERVE_SECONDS: Final = 1.0
RESERVE_SHARE: Final = 0.25  # of it at most

log = logging.getLogger(__name__)


async def shut_down(
    crew: WorkerPool, sockets: Sockets, closing: Closing, options: Options, abort: asyncio.Event
) -> None:
    """Drain the workers, then end them. `abort` cuts short whatever is in progress."""
    reserve = min(RESERVE_SECONDS, options.grace * RESERVE_SHARE)
    deadline = monotonic() + options.grace - reserve
    aborted = asyncio.get_running_loop().create_task(abort.wait())
    try:
        await asyncio.wait((aborted,), timeout=min(options.drain_delay, deadline - monotonic()))
        crew.stand_in()
        silent = asyncio.get_running_loop().create_task(closing.silence_all(deadline - monotonic()))
        await asyncio.wait((silent, aborted), return_when=asyncio.FIRST_COMPLETED)
        silent.cancel()
        drained = _drain(crew, sockets)
        if drained and not aborted.done():
            everything = asyncio.gather(*drained)
            await asyncio.wait(
                (everything, aborted), timeout=deadline - monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
            everything.cancel()
    finally:
        aborted.cancel()
    await end(crew.processes, reserve / 2)
    crew.stop_watching()
    crew.bury_dead()


def _drain(crew: WorkerPool, sockets: Sockets) -> list[asyncio.Task[None]]:
    """Have what is queued accepted, and nothing more; a task for each worker, done when it has no connection left."""
    crew.let_go()
    loop = asyncio.get_running_loop()
    drained = []
    for worker in crew.hands:
        report = worker.expect("drained")
        worker.tell(Order(drain=Drain()))
        drained.append(loop.create_task(either(report, worker.over)))
    sockets.close_all()  # each worker has its own copies until it has emptied their queues
    return drained


async def either(*futures: asyncio.Future[Any]) -> None:
    """Wait for the first of these."""
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


async def end(processes: Collection[WorkerProcess], patience: float) -> None:
    """Have them reset what is open and exit; kill those who do not."""
    for process in processes:
        process.ending = True
        process.tell(Order(stop=Stop()))
    everyone = [process.over for process in processes]
    if not everyone:
        return
    await asyncio.wait(everyone, timeout=patience)
    for process in processes:
        process.kill(f"did not end within {patience:g} s")
    await asyncio.wait(everyone)
