"""The worker processes: started, watched, replaced when they die; other workers cover for a slow replacement."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

from answerback.concurrency.tasks import Tasks
from answerback.internal.v1.link_pb2 import Adopt, Command, Release, SignalNews, SocketName
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.readiness import Readiness
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.supervisor.workers.slot import CrashLoop, Slot, close_crashed, open_in

# Rule: no slot is without a worker that accepts on its sockets for longer than `cover_from_seconds`, while any worker
#       lives.
# Rule: a region of the shared counters has one writer: a dead worker's region is closed before its successor starts
#       there, and the successor of a live worker starts in the spare region.

# Seconds between two checks of the workers. A stuck worker is killed after `silence_seconds` and at most two of these:
# its progress is seen up to one of them late.
TICK_SECONDS = 0.25

LATE_SECONDS = 1.0  # seconds between two checks: if longer, this process was held up, and perhaps the workers too

log = logging.getLogger(__name__)


class Boot(Protocol):
    """Lets a new worker serve the active revision.

    The pool stands below the rollout, which knows the revision, and yet a worker that died must be replaced without a
    request from above. So the rollout is passed to `monitor` under this name: the one call upwards.
    """

    async def boot(self, process: WorkerProcess) -> None:
        """Prepare and commit the active revision on a running worker. Raises WorkerDied."""


class WorkerPool:
    """One worker for each slot; the shared counters have one region more."""

    def __init__(
        self,
        options: Options,
        timeouts: Timeouts,
        counters: SharedCounters,
        layout: CounterLayout,
        sockets: Sockets,
        readiness: Readiness,
    ) -> None:
        self.slots = [Slot(index, index) for index in range(options.workers)]
        self._spare = options.workers
        self._starting: WorkerProcess | None = None
        self.retiring: WorkerProcess | None = None
        """The replaced worker that still has open connections."""
        self.crash_loop = CrashLoop(timeouts)
        self.last_death = ""
        self.layout = layout
        """The cells of the counters that workers count in."""
        self._options = options
        self._timeouts = timeouts
        self._counters = counters
        self._sockets = sockets
        self._readiness = readiness
        self.on_signal_news: Callable[[WorkerProcess, SignalNews], None] | None = None
        """Called with what the scripts of a worker do with signals."""
        self._boot: Boot | None = None
        """Set while dead workers are replaced."""
        self._tasks = Tasks()
        self._monitors: dict[int, asyncio.Task[None]] = {}
        self._tick: asyncio.TimerHandle | None = None
        self._ticked = 0.0

    @property
    def workers(self) -> list[WorkerProcess]:
        """The workers that serve."""
        return [worker for slot in self.slots if (worker := slot.worker) is not None]

    @property
    def processes(self) -> list[WorkerProcess]:
        """All live processes."""
        everyone = (*(slot.process for slot in self.slots), self._starting, self.retiring)
        return [process for process in everyone if process is not None and not process.exited.done()]

    @property
    def change_targets(self) -> list[WorkerProcess]:
        """The workers that a change concerns: serving, about to serve, or retiring with open connections."""
        both = (self._starting, self.retiring)
        return [*self.workers, *(process for process in both if process is not None and process.up)]

    @property
    def served_slots(self) -> list[int]:
        """The slots on whose sockets a worker accepts."""
        return [slot.index for slot in self.slots if slot.worker or (slot.adopter is not None and slot.adopter.up)]

    @property
    def all_slots_up(self) -> bool:
        """Whether every slot has its own worker, so that no connection waits in an unattended queue."""
        return len(self.workers) == len(self.slots)

    async def start(self) -> list[WorkerProcess]:
        """Start a worker in every slot. Raises WorkerDied or OSError if one fails to start."""
        for slot in self.slots:
            slot.process = self._exec(slot, slot.region)
        processes = self.processes
        await asyncio.gather(*(self._first_heartbeat(process) for process in processes))
        return processes

    def monitor(self, boot: Boot) -> None:
        """From now on, replace workers that die, and kill those that hang."""
        self._boot = boot
        for slot in self.slots:
            self._monitor(slot)
        self._ticked = monotonic()
        self._watch()

    def stop_restarting(self) -> None:
        """Stop replacing workers; those that hang are still killed."""
        self._boot = None
        for task in self._monitors.values():
            task.cancel()

    def stop_watching(self) -> None:
        """Stop killing workers that hang."""
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    async def ask_all(self, workers: Sequence[WorkerProcess], command: Command, answer: str) -> list[str]:
        """Send a command to these workers and await their answers; return the errors, except of retiring ones."""

        async def ask(worker: WorkerProcess) -> str:
            try:
                await worker.ask(command, answer, within_seconds=self._timeouts.answer_seconds)
            except WorkerDied as gone:
                return "" if worker.retiring else str(gone)
            return ""

        return [*filter(None, await asyncio.gather(*map(ask, workers)))]

    def tell_all(self, command: Command) -> None:
        """Send a command that has no reply to all workers that a change concerns."""
        for worker in self.change_targets:
            worker.tell(command)

    def refresh_adopters(self) -> None:
        """Addresses may have been added: let workers that cover other slots accept there too."""
        for slot in self.slots:
            if slot.adopter is not None and slot.adopter.up:
                self._adopt(slot, slot.adopter)

    def cover_vacant_slots(self) -> None:
        """Let live workers accept for slots that have had no worker for long."""
        covering = Counter(slot.adopter for slot in self.slots if slot.vacant)
        for slot in self.slots:
            if not slot.vacant or (slot.adopter is not None and slot.adopter.up):
                continue
            slot.adopter = min(self.workers, key=covering.__getitem__, default=None)
            if slot.adopter is not None:
                covering[slot.adopter] += 1
                self._adopt(slot, slot.adopter)

    def cover_all_slots(self) -> None:
        """Let live workers accept for every slot without one, now."""
        for slot in self.slots:
            slot.vacant = slot.worker is None
        self.cover_vacant_slots()

    def open_connections(self, process: WorkerProcess) -> int:
        """Return how many connections a process has."""
        return open_in(self._counters, self.layout, process.region)

    def close_dead_workers(self) -> None:
        """Close the counters of every region without a live process."""
        for region in {*range(self._counters.slots)} - {process.region for process in self.processes}:
            close_crashed(self._counters, self.layout, region)

    async def replace(self, slot: Slot) -> bool:
        """Start a successor on the slot's sockets; its worker retires, and will be told to stop accepting.

        False if the slot had lost its worker before: it gets another one anyway. Raises WorkerDied or OSError if the
        successor failed to start; then nothing has changed.
        """
        former, boot = slot.worker, self._boot
        if former is None or boot is None:
            return False
        self._starting = successor = self._exec(slot, self._spare)
        try:
            await self._first_heartbeat(successor)
            await boot.boot(successor)
            if slot.worker is not former or self._boot is None:
                await successor.kill_and_wait("it is not needed any more")
        finally:
            self._starting = None
            if not successor.up:
                close_crashed(self._counters, self.layout, self._spare)
        if not successor.up:
            return False
        former.retiring = True
        self.retiring = former
        slot.process, slot.region, self._spare = successor, self._spare, slot.region
        slot.planned_restarts += 1
        self._monitors[slot.index].cancel()
        self._monitor(slot)
        for other in self.slots:
            if other.adopter is former:
                other.adopter = None
        self.cover_vacant_slots()
        self._report()
        return True

    def close_retired(self) -> int:
        """The retiring worker has exited: its region is spare now. Returns its number of unfinished connections."""
        self.retiring = None
        return close_crashed(self._counters, self.layout, self._spare)

    def _exec(self, slot: Slot, region: int) -> WorkerProcess:
        process = WorkerProcess(slot.index, region, self._options, self._counters)
        process.on_signal_news = self.on_signal_news
        return process

    def _monitor(self, slot: Slot) -> None:
        self._monitors[slot.index] = self._tasks.start(self._keep_alive(slot), failure="stopped supervising a slot")

    def _adopt(self, slot: Slot, adopter: WorkerProcess) -> None:
        """Pass the slot's sockets to another worker, which knows by the keys which it has already."""
        sockets = self._sockets.of(slot.index)
        names = [SocketName(key=key, slot=slot.index) for key in sockets]
        adopt = Adopt(slot=slot.index, sockets=names, fillers=self._sockets.fillers())
        try:
            adopter.tell(Command(adopt=adopt), list(sockets.values()))
        except OSError as error:  # no descriptors; `cover_vacant_slots` tries again
            log.error("no worker can accept for slot %d: %s", slot.index, error)  # noqa: TRY400 - the text says it all
            slot.adopter = None
        else:
            log.info("%s also accepts for slot %d", adopter, slot.index)

    async def _keep_alive(self, slot: Slot) -> None:
        """Replace the worker of a slot whenever it dies."""
        while True:
            if slot.process is not None:
                await asyncio.shield(slot.process.exited)
                self._on_death(slot, slot.process)
            delay = slot.delay_after_death(self._timeouts)
            slot.vacant = delay >= self._timeouts.cover_from_seconds
            self.cover_vacant_slots()
            self._report()
            await asyncio.sleep(delay)
            await self._restart(slot)
            self._report()

    def _on_death(self, slot: Slot, process: WorkerProcess) -> None:
        self.crash_loop.add()
        self.last_death = process.exit_reason
        lost = close_crashed(self._counters, self.layout, slot.region)
        log.error("%s", process.exit_reason, extra={"pid": process.pid, "connections_lost": lost})

    async def _restart(self, slot: Slot) -> None:
        """Start a successor of a dead worker; a failure is handled like its death."""
        assert self._boot is not None, "`stop_restarting` cancels this"
        slot.restarts += 1
        try:
            slot.process = process = self._exec(slot, slot.region)
        except OSError as error:
            slot.process = None
            self.crash_loop.add()
            self.last_death = f"worker {slot.index} cannot be started: {error}"
            log.error("%s", self.last_death)  # noqa: TRY400 - the text says it all
            return
        try:
            await self._first_heartbeat(process)
            await self._boot.boot(process)
        except WorkerDied as gone:
            log.debug("%s", gone)
            return
        log.info("%s serves again", process, extra={"pid": process.pid, "restarts": slot.restarts})
        slot.vacant = False
        if slot.adopter is not None and slot.adopter.up:
            slot.adopter.tell(Command(release=Release(slot=slot.index)))
        slot.adopter = None
        self.cover_vacant_slots()

    async def _first_heartbeat(self, process: WorkerProcess) -> None:
        limit = self._timeouts.start_seconds
        await process.in_time(process.started, limit, f"it did not start within {limit:g} s")

    def _watch(self) -> None:
        """Kill stuck workers, unless this process itself was held up: then their timeouts restart.

        A worker is stuck if it neither sends heartbeats nor makes progress, unless it was ready to run and got no
        processor.
        """
        now, limit = monotonic(), self._timeouts.silence_seconds
        late = now - self._ticked > LATE_SECONDS
        self._ticked = now
        for process in self.processes:
            if process.progressed(self._counters) or late:
                process.last_event_time = now
            elif process.started.done() and process.stuck(now, limit):
                process.kill(f"it sent no heartbeat and made no progress for {limit:g} s")
        self.cover_vacant_slots()
        self._report()
        self._tick = asyncio.get_running_loop().call_later(TICK_SECONDS, self._watch)

    def _report(self) -> None:
        """Report whether the workers can serve."""
        problem = ""
        if self.crash_loop.detected:
            many, seconds = self._timeouts.crash_count, self._timeouts.crash_window_seconds
            problem = f"{many} workers died within {seconds:g} s, the last one: {self.last_death}"
        elif not self.workers:
            problem = f"no worker is running: {self.last_death}"
        self._readiness.report_workers(problem)
