"""Replaces the workers one by one while they serve.

    former      serves ─────────────────────── accepts no more, closes its connections, ends
    successor          starts, is prepared, serves ────────────────────────────────────────>

Both accept on the same sockets for a moment, so that every queued connection is accepted by one of them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from answerback.concurrency.serial import SerialRunner
from answerback.concurrency.tasks import Tasks
from answerback.internal.v1.link_pb2 import Command, Drain
from answerback.supervisor import audit
from answerback.supervisor.errors import ChangeFailed, RestartInProgress
from answerback.supervisor.operations.shutdown import end
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.supervisor.workers.slot import Slot

# Rule: a restart that has begun continues, even if its caller disconnects.

END_SECONDS: Final = 1.0  # seconds for a worker to reset its open connections and exit

log = logging.getLogger(__name__)


class RestartStep(Enum):
    """The progress of one worker's restart."""

    REPLACED = "replaced"
    """A successor serves; the former worker closes its connections."""
    RESTARTED = "restarted"
    """The former worker has ended."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """One step of the restart of one worker."""

    worker: int
    step: RestartStep
    pid: int
    """The process id of the successor."""
    connections: int
    """Open connections of the former worker; in the last step, those that were reset."""


class RollingRestart:
    """Restarts all workers; one restart at a time."""

    def __init__(self, pool: WorkerPool, serial: SerialRunner) -> None:
        """`serial` tells whether the server is stopping."""
        self._pool = pool
        self._serial = serial
        self._tasks = Tasks()
        self._running = False

    async def restart(self, spread_seconds: float, grace_seconds: float) -> AsyncIterator[Restarted]:
        """Restart every worker, the next after the previous one has ended.

        Each closes its connections spread over `spread_seconds`; `grace_seconds` later, what is still open is reset.
        Raises RestartInProgress, Stopping; ChangeFailed if a successor does not come up: then its worker and those
        after it serve on.
        """
        self._serial.check_open()
        if self._running:
            raise RestartInProgress
        self._running = True
        audit.note("restarting the workers", over=spread_seconds)
        steps: asyncio.Queue[Restarted | None] = asyncio.Queue()
        task = self._tasks.start(self._restart_all(spread_seconds, grace_seconds, steps))
        while (step := await steps.get()) is not None:
            yield step
        await task

    async def _restart_all(
        self, spread_seconds: float, grace_seconds: float, steps: "asyncio.Queue[Restarted | None]"
    ) -> None:
        try:
            for slot in self._pool.slots:
                self._serial.check_open()
                await self._restart(slot, spread_seconds, grace_seconds, steps)
        finally:
            self._running = False
            steps.put_nowait(None)

    async def _restart(
        self, slot: Slot, spread_seconds: float, grace_seconds: float, steps: "asyncio.Queue[Restarted | None]"
    ) -> None:
        try:
            replaced = await self._pool.replace(slot)
        except (WorkerDied, OSError) as error:
            reason = f"cannot replace worker {slot.index}: {error}"
            raise ChangeFailed(reason, "it and the workers after it were not restarted") from None
        former = self._pool.retiring
        if replaced and former is not None:
            steps.put_nowait(self._step(slot, RestartStep.REPLACED, self._pool.open_connections(former)))
            await self._retire(former, spread_seconds, grace_seconds)
            steps.put_nowait(self._step(slot, RestartStep.RESTARTED, self._pool.close_retired()))

    def _step(self, slot: Slot, step: RestartStep, connections: int) -> Restarted:
        assert slot.process is not None
        log.info("%s %s", slot.process, step.value, extra={"pid": slot.process.pid, "connections": connections})
        return Restarted(slot.index, step, slot.process.pid, connections)

    async def _retire(self, former: WorkerProcess, spread_seconds: float, grace_seconds: float) -> None:
        """Let the former worker finish its connections, in time, and exit."""
        drained = former.expect("drained")
        former.tell(Command(drain=Drain(handed_over=True, over_milliseconds=round(spread_seconds * 1000))))
        timeout = spread_seconds + grace_seconds
        await asyncio.wait((drained, former.exited), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        await end([former], END_SECONDS)
