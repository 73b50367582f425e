"""Replaces the workers one by one while they serve.

    former      serves ─────────────────────── accepts no more, closes its connections, ends
    successor          starts, is prepared, serves ────────────────────────────────────────>

Both accept on the same sockets for a moment, so that every queued connection is accepted by one of them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from answerback.internal.v1.link_pb2 import Drain, Order
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.supervisor.errors import ChangeFailed, RestartInProgress
from answerback.supervisor.operations.shutdown import end
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.supervisor.workers.slot import Slot, open_in

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

    def __init__(
        self, tally: SharedCounters, places: CounterLayout, crew: WorkerPool, proceed: Callable[[], None]
    ) -> None:
        """`proceed` raises Stopping if the server is stopping."""
        self._tally = tally
        self._places = places
        self._crew = crew
        self._proceed = proceed
        self._running: asyncio.Task[None] | None = None

    async def restart(self, over: float, grace: float) -> AsyncIterator[Restarted]:
        """Restart every worker, the next after the previous one has ended.

        Each closes its connections spread over `over` seconds; `grace` seconds later, what is still open is reset.
        Raises RestartInProgress, Stopping; ChangeFailed if a successor does not come up: then its worker and those
        behind it serve on.
        """
        self._proceed()
        if self._running is not None:
            raise RestartInProgress
        steps: asyncio.Queue[Restarted | None] = asyncio.Queue()
        self._running = task = asyncio.get_running_loop().create_task(self._restart_all(over, grace, steps))
        task.add_done_callback(lambda _: self._over(steps))
        while (step := await steps.get()) is not None:
            yield step
        await task

    def _over(self, steps: "asyncio.Queue[Restarted | None]") -> None:
        steps.put_nowait(None)
        if self._running is not None and not self._running.cancelled():
            self._running.exception()  # it is raised to the caller, if that is still waiting
        self._running = None

    async def _restart_all(self, over: float, grace: float, steps: "asyncio.Queue[Restarted | None]") -> None:
        for slot in self._crew.slots:
            self._proceed()
            try:
                succeeded = await self._crew.succeed(slot)
            except (WorkerDied, OSError) as error:
                raise ChangeFailed(
                    f"cannot replace worker {slot.index}: {error}; it and the workers after it were not restarted"
                ) from None
            former = self._crew.leaving
            if succeeded and former is not None:
                steps.put_nowait(self._step(slot, former, RestartStep.REPLACED))
                await self._leave(former, over, grace)
                steps.put_nowait(self._step(slot, former, RestartStep.RESTARTED, self._crew.close_leaver()))

    def _step(self, slot: Slot, former: WorkerProcess, step: RestartStep, connections: int | None = None) -> Restarted:
        assert slot.process is not None
        if connections is None:
            connections = open_in(self._tally, self._places, former.region)
        log.info("%s %s", slot.process, step.value, extra={"pid": slot.process.pid, "connections": connections})
        return Restarted(slot.index, step, slot.process.pid, connections)

    async def _leave(self, former: WorkerProcess, over: float, grace: float) -> None:
        """Let the former worker finish its connections, in time, and exit."""
        drained = former.expect("drained")
        former.tell(Order(drain=Drain(succeeded=True, over_milliseconds=round(over * 1000))))
        await asyncio.wait((drained, former.over), timeout=over + grace, return_when=asyncio.FIRST_COMPLETED)
        await end([former], END_SECONDS)
