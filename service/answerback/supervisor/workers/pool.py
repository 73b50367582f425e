"""The workers: started, watched, replaced when they die, and stood in for when that takes long."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic

from answerback.internal.v1.link_pb2 import Adopt, Order, Release, SocketName
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.supervisor.workers.slot import CrashLoop, Slot, bury

# Rule: a slot is never without somebody who accepts on its sockets for longer than `pace.adopt_from`, if anybody lives.
# Rule: a region of the tally has one writer: the dead are buried before their successors are started there, and who
#       succeeds somebody who still lives starts in the spare region.

# Seconds between two looks at the workers. One that is stuck is killed after `pace.silence` and two of these at most:
# its progress is seen up to one of them late.
TICK = 0.25

LATE_SECONDS = 1.0  # between two looks: this process was held up, and so may the workers have been

log = logging.getLogger(__name__)

Boot = Callable[[WorkerProcess], Awaitable[None]]


class WorkerPool:
    """One worker for each slot; the tally has one region more."""

    def __init__(
        self,
        options: Options,
        pace: Timeouts,
        tally: SharedCounters,
        places: CounterLayout,
        sockets: Sockets,
        *,
        boot: Boot,
        changed: Callable[[], None],
    ) -> None:
        """`boot` has a worker that beats serve the configuration in force, or raises Gone.

        `changed` is called when a worker came or went.
        """
        self.slots = [Slot(index, index) for index in range(options.workers)]
        self._spare = options.workers
        self._coming: WorkerProcess | None = None
        self.leaving: WorkerProcess | None = None
        """Who has been succeeded, and has yet to finish what it had."""
        self.deaths = CrashLoop(pace)
        self.last_death = ""
        self._options = options
        self._pace = pace
        self._tally = tally
        self._places = places
        self._sockets = sockets
        self._boot = boot
        self._changed = changed
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._kept = False
        self._tick: asyncio.TimerHandle | None = None
        self._ticked = 0.0

    @property
    def workers(self) -> list[WorkerProcess]:
        """Those who serve."""
        return [worker for slot in self.slots if (worker := slot.worker) is not None]

    @property
    def processes(self) -> list[WorkerProcess]:
        """Those who live, whatever they do."""
        everyone = (*(slot.process for slot in self.slots), self._coming, self.leaving)
        return [process for process in everyone if process is not None and not process.over.done()]

    @property
    def hands(self) -> list[WorkerProcess]:
        """Those whom a change concerns: who serves, who is about to, and who leaves and has yet to finish."""
        both = (self._coming, self.leaving)
        return [*self.workers, *(process for process in both if process is not None and process.up)]

    @property
    def attended(self) -> list[int]:
        """The slots on whose sockets somebody accepts."""
        return [slot.index for slot in self.slots if slot.worker or (slot.adopter is not None and slot.adopter.up)]

    @property
    def complete(self) -> bool:
        """Whether every slot has its own worker: nobody waits in a queue that nobody has looked at."""
        return len(self.workers) == len(self.slots)

    async def start(self) -> list[WorkerProcess]:
        """Start a worker in every slot. Raises WorkerDied or OSError if one of them does not come up."""
        for slot in self.slots:
            slot.process = self._exec(slot, slot.region)
        processes = self.processes
        await asyncio.gather(*(self._first_beat(process) for process in processes))
        return processes

    def keep(self) -> None:
        """From now on, replace those who die, and kill those who hang."""
        self._kept = True
        for slot in self.slots:
            self._keep_from_now_on(slot)
        self._ticked = monotonic()
        self._watch()

    def let_go(self) -> None:
        """Replace nobody any more; who hangs is still killed."""
        self._kept = False
        for task in self._tasks.values():
            task.cancel()

    def stop_watching(self) -> None:
        """Kill nobody any more."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def provide_anew(self) -> None:
        """Addresses may have come: have those who stand in for others accept there too."""
        for slot in self.slots:
            if slot.adopter is not None and slot.adopter.up:
                self._adopt(slot, slot.adopter)

    def provide(self) -> None:
        """Have somebody accept wherever nobody else does for long."""
        standing_in = Counter(slot.adopter for slot in self.slots if slot.orphaned)
        for slot in self.slots:
            if not slot.orphaned or (slot.adopter is not None and slot.adopter.up):
                continue
            slot.adopter = min(self.workers, key=standing_in.__getitem__, default=None)
            if slot.adopter is not None:
                standing_in[slot.adopter] += 1
                self._adopt(slot, slot.adopter)

    def bury_dead(self) -> None:
        """Close the books of every region without a live process."""
        for region in {*range(self._tally.slots)} - {process.region for process in self.processes}:
            bury(self._tally, self._places, region)

    async def succeed(self, slot: Slot) -> bool:
        """Have a successor accept on the slot's sockets; its worker becomes `leaving`, and is to accept no more.

        False if the slot lost its worker before: it gets another one anyway. Raises WorkerDied or OSError if the
        successor did not come up; then nothing has changed.
        """
        former = slot.worker
        if former is None or not self._kept:
            return False
        self._coming = successor = self._exec(slot, self._spare)
        try:
            await self._first_beat(successor)
            await self._boot(successor)
            if slot.worker is not former or not self._kept:
                successor.kill("is not needed")
                await asyncio.shield(successor.over)
        finally:
            self._coming = None
            if not successor.up:
                bury(self._tally, self._places, self._spare)
        if not successor.up:
            return False
        former.leaving = True
        self.leaving = former
        slot.process, slot.region, self._spare = successor, self._spare, slot.region
        slot.planned_restarts += 1
        self._tasks[slot.index].cancel()
        self._keep_from_now_on(slot)
        for other in self.slots:
            if other.adopter is former:
                other.adopter = None
        self.provide()
        self._changed()
        return True

    def bury_leaver(self) -> int:
        """Who left has ended: its region is the spare one. How many connections it had not finished."""
        self.leaving = None
        return bury(self._tally, self._places, self._spare)

    def stand_in(self) -> None:
        """Have somebody accept for every slot that has no worker now."""
        for slot in self.slots:
            slot.orphaned = slot.worker is None
        self.provide()

    def _exec(self, slot: Slot, region: int) -> WorkerProcess:
        return WorkerProcess(slot.index, region, self._options, self._tally)

    def _keep_from_now_on(self, slot: Slot) -> None:
        task = asyncio.get_running_loop().create_task(self._keep(slot))
        task.add_done_callback(_report)
        self._tasks[slot.index] = task

    def _adopt(self, slot: Slot, adopter: WorkerProcess) -> None:
        """Pass it the slot's sockets; it knows by the keys which it has already."""
        sockets = self._sockets.of(slot.index)
        names = [SocketName(key=key, slot=slot.index) for key in sockets]
        adopt = Adopt(slot=slot.index, sockets=names, fillers=self._sockets.fillers())
        try:
            adopter.tell(Order(adopt=adopt), list(sockets.values()))
        except OSError as error:  # no descriptors; `provide` tries again
            log.error("nobody can accept for slot %d: %s", slot.index, error)  # noqa: TRY400 - the text says it all
            slot.adopter = None
        else:
            log.info("%s accepts for slot %d too", adopter, slot.index)

    async def _keep(self, slot: Slot) -> None:
        """Replace the worker of a slot, for ever."""
        while True:
            if slot.process is not None:
                await asyncio.shield(slot.process.over)
                self._mourn(slot, slot.process)
            delay = slot.delay_after_death(self._pace)
            slot.orphaned = delay >= self._pace.adopt_from
            self.provide()
            self._changed()
            await asyncio.sleep(delay)
            await self._replace(slot)
            self._changed()

    def _mourn(self, slot: Slot, process: WorkerProcess) -> None:
        self.deaths.add()
        self.last_death = process.exit_reason
        orphans = bury(self._tally, self._places, slot.region)
        log.error("%s", process.exit_reason, extra={"pid": process.pid, "connections_lost": orphans})

    async def _replace(self, slot: Slot) -> None:
        """Start a successor; if that does not succeed, leave it to be mourned."""
        slot.restarts += 1
        try:
            slot.process = process = self._exec(slot, slot.region)
        except OSError as error:
            slot.process = None
            self.deaths.add()
            self.last_death = f"worker {slot.index} cannot be started: {error}"
            log.error("%s", self.last_death)  # noqa: TRY400 - the text says it all
            return
        try:
            await self._first_beat(process)
            await self._boot(process)
        except WorkerDied as gone:
            log.debug("%s", gone)
            return
        log.info("%s serves again", process, extra={"pid": process.pid, "restarts": slot.restarts})
        slot.orphaned = False
        if slot.adopter is not None and slot.adopter.up:
            slot.adopter.tell(Order(release=Release(slot=slot.index)))
        slot.adopter = None
        self.provide()

    async def _first_beat(self, process: WorkerProcess) -> None:
        limit = self._pace.start
        await process.in_time(process.started, limit, f"did not come up within {limit:g} s")

    def _watch(self) -> None:
        """Kill workers that are stuck, unless it is this process that was held up: then the silence starts again.

        A worker that neither beats nor makes progress is stuck, unless it was ready to run and got no processor.
        """
        now = monotonic()
        late = now - self._ticked > LATE_SECONDS
        self._ticked = now
        for process in self.processes:
            if process.progressed(self._tally) or late:
                process.heard = now
            elif process.started.done() and process.stuck(now, self._pace.silence):
                process.kill(f"hung: no beat and no progress for {self._pace.silence:g} s")
        self.provide()
        self._changed()
        self._tick = asyncio.get_running_loop().call_later(TICK, self._watch)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("a slot is not looked after any more", exc_info=error)
