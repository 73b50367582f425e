"""The slot of a worker: its process, and the handling of its death."""

from collections import deque
from dataclasses import dataclass
from time import monotonic

from answerback.net import admission
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.listener_counters import ListenerCounters
from answerback.supervisor.options import Timeouts
from answerback.supervisor.status import WorkerStatus
from answerback.supervisor.workers.process import WorkerProcess


@dataclass(slots=True, eq=False)
class Slot:
    """A slot. It outlives its workers."""

    index: int
    region: int
    """The region in which its worker counts. A planned successor takes the spare region, and this one becomes spare."""
    process: WorkerProcess | None = None
    """The latest process; it may be dead."""
    restarts: int = 0
    """How many restarts followed deaths."""
    planned_restarts: int = 0
    failures: int = 0
    """How many workers died here in a row, none having served for long."""
    orphaned: bool = False
    """Whether its queued connections have waited too long."""
    adopter: WorkerProcess | None = None
    """The worker that accepts on its sockets meanwhile."""

    @property
    def worker(self) -> WorkerProcess | None:
        """The worker that serves here, if any."""
        return self.process if self.process is not None and self.process.up else None

    def delay_after_death(self, pace: Timeouts) -> float:
        """The worker has just died: return how long to wait before its successor starts, in seconds."""
        process = self.process
        if process is not None and process.up_since and monotonic() - process.up_since >= pace.memory:
            self.failures = 0
        self.failures += 1
        return pace.backoff[min(self.failures, len(pace.backoff)) - 1]

    def status(self) -> WorkerStatus:
        """Return the slot's status."""
        process = self.process
        if process is None:
            return WorkerStatus(self.index, 0, False, 0, self.restarts, None, 0.0, 0.0, self.planned_restarts)
        over = process.over.done()
        return WorkerStatus(
            index=self.index,
            pid=0 if over else process.pid,
            running=process.started.done() and not over,
            revision=0 if over else process.revision,
            restarts=self.restarts,
            planned_restarts=self.planned_restarts,
            start_time=process.start_time,
            start_seconds=process.start_seconds,
            loop_lag_seconds=process.lag,
        )


class CrashLoop:
    """Recent deaths of all workers, to detect that restarting does not help."""

    def __init__(self, pace: Timeouts) -> None:
        self._pace = pace
        self._times: deque[float] = deque(maxlen=pace.deaths)
        self._too_many = False

    def add(self) -> None:
        """A worker has just died."""
        self._times.append(monotonic())
        if len(self._times) == self._pace.deaths and self._times[-1] - self._times[0] < self._pace.memory:
            self._too_many = True

    @property
    def too_many(self) -> bool:
        """Whether too many died within a time, and the deaths have not stopped for as long since."""
        if self._too_many and monotonic() - self._times[-1] >= self._pace.memory:
            self._too_many = False
        return self._too_many


def open_in(tally: SharedCounters, places: CounterLayout, region: int) -> int:
    """Return how many connections are open according to a region."""
    cells = tally.region(region)
    return sum(ListenerCounters(cells, block).open() for block in places.listeners.values())


def close_crashed(tally: SharedCounters, places: CounterLayout, region: int) -> int:
    """Close the counters of a dead worker's region; return how many connections died with it."""
    cells = tally.region(region)
    orphans = sum(ListenerCounters(cells, block).close_crashed() for block in places.listeners.values())
    admission.close_crashed(tally, region)
    return orphans
