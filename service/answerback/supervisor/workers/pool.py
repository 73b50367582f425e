"""The worker processes: started, watched, replaced when they die; other workers cover for a slow replacement."""

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
from answerback.supervisor.workers.slot import CrashLoop, Slot, close_crashed

# Rule: no slot is without a worker that accepts on its sockets for longer than `pace.adopt_from`, while any worker
#       lives.
# Rule: a region of the shared counters has one writer: a dead worker's region is closed before its successor starts
#       there, and the successor of a live worker starts in the spare region.

# Seconds between two checks of the workers. A stuck worker is killed after `pace.silence` and at most two of these: its
# progress is seen up to one of them late.
TICK = 0.25

LATE_SECONDS = 1.0  # seconds between two checks: if longer, this process was held up, and perhaps the workers too

log = logging.getLogger(__name__)

Boot = Callable[[WorkerProcess], Awaitable[None]]


class WorkerPool:
    """One worker for each slot; the shared counters have one region more."""

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
        """`boot` lets a running worker serve the active configuration, or raises WorkerDied.

        `changed` is called when a worker starts or ends.
        """
        self.slots = [Slot(index, index) for index in range(options.workers)]
        self._spare = options.workers
        self._coming: WorkerProcess | None = None
        self.leaving: WorkerProcess | None = None
        """The replaced worker that still has open connections."""
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
        """The workers that serve."""
        return [worker for slot in self.slots if (worker := slot.worker) is not None]

    @property
    def processes(self) -> list[WorkerProcess]:
        """All live processes."""
        everyone = (*(slot.process for slot in self.slots), self._coming, self.leaving)
        return [process for process in everyone if process is not None and not process.over.done()]

    @property
    def change_targets(self) -> list[WorkerProcess]:
        """The workers that a change concerns: serving, about to serve, or leaving with open connections."""
        both = (self._coming, self.leaving)
        return [*self.workers, *(process for process in both if process is not None and process.up)]

    @property
    def served_slots(self) -> list[int]:
        """The slots on whose sockets a worker accepts."""
        return [slot.index for slot in self.slots if slot.worker or (slot.adopter is not None and slot.adopter.up)]

    @property
    def complete(self) -> bool:
        """Whether every slot has its own worker, so that no connection waits in an unattended queue."""
        return len(self.workers) == len(self.slots)

    async def start(self) -> list[WorkerProcess]:
        """Start a worker in every slot. Raises WorkerDied or OSError if one fails to start."""
        for slot in self.slots:
            slot.process = self._exec(slot, slot.region)
        processes = self.processes
        await asyncio.gather(*(self._first_beat(process) for process in processes))
        return processes

    def keep(self) -> None:
        """From now on, replace workers that die, and kill those that hang."""
        self._kept = True
        for slot in self.slots:
            self._keep_from_now_on(slot)
        self._ticked = monotonic()
        self._watch()

    def stop_restarting(self) -> None:
        """Stop replacing workers; those that hang are still killed."""
        self._kept = False
        for task in self._tasks.values():
            task.cancel()

    def stop_watching(self) -> None:
        """Stop killing workers that hang."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def refresh_adopters(self) -> None:
        """Addresses may have been added: let workers that cover other slots accept there too."""
        for slot in self.slots:
            if slot.adopter is not None and slot.adopter.up:
                self._adopt(slot, slot.adopter)

    def cover_vacant_slots(self) -> None:
        """Let live workers accept for slots that have had no worker for long."""
        standing_in = Counter(slot.adopter for slot in self.slots if slot.orphaned)
        for slot in self.slots:
            if not slot.orphaned or (slot.adopter is not None and slot.adopter.up):
                continue
            slot.adopter = min(self.workers, key=standing_in.__getitem__, default=None)
            if slot.adopter is not None:
                standing_in[slot.adopter] += 1
                self._adopt(slot, slot.adopter)

    def close_dead_workers(self) -> None:
        """Close the counters of every region without a live process."""
        for region in {*range(self._tally.slots)} - {process.region for process in self.processes}:
            close_crashed(self._tally, self._places, region)

    async def succeed(self, slot: Slot) -> bool:
        """Start a successor on the slot's sockets; its worker becomes `leaving`, and will be told to stop accepting.

        False if the slot had lost its worker before: it gets another one anyway. Raises WorkerDied or OSError if the
        successor failed to start; then nothing has changed.
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
                close_crashed(self._tally, self._places, self._spare)
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
        self.cover_vacant_slots()
        self._changed()
        return True

    def close_leaver(self) -> int:
        """The leaving worker has exited: its region is spare now. Returns its number of unfinished connections."""
        self.leaving = None
        return close_crashed(self._tally, self._places, self._spare)

    def cover_all_slots(self) -> None:
        """Let live workers accept for every slot without one, now."""
        for slot in self.slots:
            slot.orphaned = slot.worker is None
        self.cover_vacant_slots()

    def _exec(self, slot: Slot, region: int) -> WorkerProcess:
        return WorkerProcess(slot.index, region, self._options, self._tally)

    def _keep_from_now_on(self, slot: Slot) -> None:
        task = asyncio.get_running_loop().create_task(self._keep(slot))
        task.add_done_callback(_report)
        self._tasks[slot.index] = task

    def _adopt(self, slot: Slot, adopter: WorkerProcess) -> None:
        """Pass the slot's sockets to another worker, which knows by the keys which it has already."""
        sockets = self._sockets.of(slot.index)
        names = [SocketName(key=key, slot=slot.index) for key in sockets]
        adopt = Adopt(slot=slot.index, sockets=names, fillers=self._sockets.fillers())
        try:
            adopter.tell(Order(adopt=adopt), list(sockets.values()))
        except OSError as error:  # no descriptors; `cover_vacant_slots` tries again
            log.error("no worker can accept for slot %d: %s", slot.index, error)  # noqa: TRY400 - the text says it all
            slot.adopter = None
        else:
            log.info("%s also accepts for slot %d", adopter, slot.index)

    async def _keep(self, slot: Slot) -> None:
        """Replace the worker of a slot, forever."""
        while True:
            if slot.process is not None:
                await asyncio.shield(slot.process.over)
                self._on_death(slot, slot.process)
            delay = slot.delay_after_death(self._pace)
            slot.orphaned = delay >= self._pace.adopt_from
            self.cover_vacant_slots()
            self._changed()
            await asyncio.sleep(delay)
            await self._replace(slot)
            self._changed()

    def _on_death(self, slot: Slot, process: WorkerProcess) -> None:
        self.deaths.add()
        self.last_death = process.exit_reason
        orphans = close_crashed(self._tally, self._places, slot.region)
        log.error("%s", process.exit_reason, extra={"pid": process.pid, "connections_lost": orphans})

    async def _replace(self, slot: Slot) -> None:
        """Start a successor; a failure is handled like its death."""
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
        self.cover_vacant_slots()

    async def _first_beat(self, process: WorkerProcess) -> None:
        limit = self._pace.start
        await process.in_time(process.started, limit, f"did not come up within {limit:g} s")

    def _watch(self) -> None:
        """Kill stuck workers, unless this process itself was held up: then their timeouts restart.

        A worker is stuck if it neither sends heartbeats nor makes progress, unless it was ready to run and got no
        processor.
        """
        now = monotonic()
        late = now - self._ticked > LATE_SECONDS
        self._ticked = now
        for process in self.processes:
            if process.progressed(self._tally) or late:
                process.heard = now
            elif process.started.done() and process.stuck(now, self._pace.silence):
                process.kill(f"hung: no heartbeat and no progress for {self._pace.silence:g} s")
        self.cover_vacant_slots()
        self._changed()
        self._tick = asyncio.get_running_loop().call_later(TICK, self._watch)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("stopped supervising a slot", exc_info=error)
