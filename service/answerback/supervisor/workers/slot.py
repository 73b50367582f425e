"""The slot of a worker: its process, and the handling of its death."""

from collections import deque
from dataclasses import dataclass
from time import monotonic

from answerback.net import admission
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.journal.counts import count_unrecorded
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
    """The number of restarts after deaths."""
    planned_restarts: int = 0
    failures: int = 0
    """The number of workers that died here in a row, none of which had served for long."""
    vacant: bool = False
    """Whether its queued connections have waited too long."""
    adopter: WorkerProcess | None = None
    """The worker that accepts on its sockets meanwhile."""

    @property
    def worker(self) -> WorkerProcess | None:
        """The worker that serves here, if any."""
        return self.process if self.process is not None and self.process.up else None

    def delay_after_death(self, timeouts: Timeouts) -> float:
        """The worker has just died: return how long to wait before its successor starts, in seconds."""
        process = self.process
        if process is not None and process.up_since and monotonic() - process.up_since >= timeouts.crash_window_seconds:
            self.failures = 0
        self.failures += 1
        return timeouts.backoff_seconds[min(self.failures, len(timeouts.backoff_seconds)) - 1]

    def status(self) -> WorkerStatus:
        """Return the slot's status."""
        process = self.process
        if process is None:
            return WorkerStatus(self.index, 0, False, 0, self.restarts, None, 0.0, 0.0, self.planned_restarts)
        exited = process.exited.done()
        return WorkerStatus(
            index=self.index,
            pid=0 if exited else process.pid,
            running=process.started.done() and not exited,
            revision=0 if exited else process.revision,
            restarts=self.restarts,
            planned_restarts=self.planned_restarts,
            start_time=process.start_time,
            start_seconds=process.start_seconds,
            loop_lag_seconds=process.lag_seconds,
        )


class CrashLoop:
    """Recent deaths of all workers, to detect that restarting does not help."""

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._times: deque[float] = deque(maxlen=timeouts.crash_count)
        self._detected = False

    def add(self) -> None:
        """A worker has just died."""
        self._times.append(monotonic())
        if (
            len(self._times) == self._timeouts.crash_count
            and self._times[-1] - self._times[0] < self._timeouts.crash_window_seconds
        ):
            self._detected = True

    @property
    def detected(self) -> bool:
        """Whether too many died within a time, and the deaths have not stopped for that time since."""
        if self._detected and monotonic() - self._times[-1] >= self._timeouts.crash_window_seconds:
            self._detected = False
        return self._detected


def open_in(counters: SharedCounters, layout: CounterLayout, region: int) -> int:
    """Return how many connections are open according to a region."""
    cells = counters.region(region)
    return sum(ListenerCounters(cells, block).open() for block in layout.listeners.values())


def close_crashed(counters: SharedCounters, layout: CounterLayout, region: int) -> int:
    """Close the counters of a dead worker's region; return how many connections died with it."""
    cells = counters.region(region)
    lost = sum(ListenerCounters(cells, block).close_crashed() for block in layout.listeners.values())
    admission.close_crashed(counters, region)
    count_unrecorded(counters, layout.listeners.values(), region, monotonic())
    return lost
