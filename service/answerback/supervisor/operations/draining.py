"""Drains listeners: stops accepting and ends their conversations, while the process stays up.

    announced    health reports not serving; new connections are served still, for the drain delay
    shut         new connections are refused; those queued before were accepted
    draining     connections are closed in order, spread over a time, each at the end of its reply
    drained      none is left; connections open after the grace period have been reset

A drain lasts until `resume`, across changes of the configuration.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from functools import partial
from time import monotonic
from typing import Final

from answerback.concurrency.notifier import Notifier
from answerback.concurrency.serial import SerialRunner
from answerback.concurrency.tasks import Tasks
from answerback.internal.v1.link_pb2 import CloseConnections, Command, KeepConnections
from answerback.metrics.snapshot import Counts, read_counts
from answerback.shared.counters import SharedCounters
from answerback.supervisor import audit
from answerback.supervisor.readiness import Readiness
from answerback.supervisor.rollout.rollout import Rollout
from answerback.supervisor.status import DrainProgress, DrainState
from answerback.supervisor.workers.pool import WorkerPool

# Rule: a drain that has begun continues, even if its caller disconnects.
# Rule: connections accepted late (by a successor, from the queue of a dead worker) close as well.

POLL_SECONDS: Final = 0.1  # seconds between two reads of the counters
REPEAT_SECONDS: Final = 1.0  # seconds between two close commands, once all workers have one

log = logging.getLogger(__name__)


class Drain:
    """One drain, as requested."""

    def __init__(self, listener: str, spread_seconds: float, grace_seconds: float) -> None:
        self.listener = listener
        self.spread_seconds = spread_seconds
        self.grace_seconds = grace_seconds
        self.progress = DrainProgress(DrainState.DRAINING, 0, 0)
        self.changed = Notifier()
        self.resumed = False
        self.closes = True
        """Whether this drain tells workers what to close; a later drain of the same listener takes precedence."""

    def concerns(self, listener: str) -> bool:
        """Whether another drain or a resume of this listener (empty: all) overlaps with this one."""
        return not listener or self.listener in ("", listener)

    def publish(self, progress: DrainProgress) -> None:
        """Publish the progress."""
        if progress != self.progress:
            self.progress = progress
            self.changed.notify()


class DrainController:
    """Drains and resumes listeners."""

    def __init__(
        self,
        pool: WorkerPool,
        rollout: Rollout,
        counters: SharedCounters,
        serial: SerialRunner,
        readiness: Readiness,
        delay_seconds: float,
    ) -> None:
        """`delay_seconds`: how long to accept on after a drain was announced."""
        self._pool = pool
        self._rollout = rollout
        self._counters = counters
        self._serial = serial
        self._readiness = readiness
        self._drained = rollout.drained
        self._delay_seconds = delay_seconds
        self._tasks = Tasks()
        self._running: set[Drain] = set()

    async def drain(self, listener: str, spread_seconds: float, grace_seconds: float) -> AsyncIterator[DrainProgress]:
        """Drain a listener, or all, including future ones; connections are closed evenly over `spread_seconds`.

        Connections open `grace_seconds` after that are reset.

        Yields the progress until it is complete. Raises Stopping; ChangeFailed if it could not begin, then nothing
        has changed.
        """
        self._serial.check_open()
        drain = Drain(listener, spread_seconds, grace_seconds)
        fresh = self._drained.announce(listener)
        self._report()
        audit.note("draining", listener=listener, over=spread_seconds, grace=grace_seconds)
        for other in self._running:
            other.closes = other.closes and not other.concerns(listener)
        self._running.add(drain)
        task = self._tasks.start(self._run(drain, fresh=fresh))
        published: DrainProgress | None = None
        while not task.done() or published is not drain.progress:
            changed = drain.changed.changed()
            if published is not drain.progress:
                published = drain.progress
                yield published
            else:
                await changed
        await task

    async def resume(self, listener: str) -> list[str]:
        """Let a listener, or all, listen again; return the names of those that were drained. Raises ChangeFailed."""
        return await self._serial.run(self._resume(listener))

    async def _resume(self, listener: str) -> list[str]:
        before = self._drained.saved()
        resumed = self._drained.resume(listener, self._rollout.names)
        try:
            await self._rollout.apply_drains()
        except BaseException:
            self._drained.restore(before)
            raise
        self._pool.tell_all(Command(keep_connections=KeepConnections(listeners=resumed)))
        for drain in self._running:
            drain.resumed = drain.resumed or drain.concerns(listener)
        self._report()
        audit.note("resumed", listener=listener, listeners=resumed)
        return resumed

    def state(self, name: str) -> DrainState | None:
        """Return the drain state of a listener; None if it listens."""
        if not self._drained.announced(name):
            return None
        done = self._drained.shut(name) and not self._open([name])
        return DrainState.DRAINED if done else DrainState.DRAINING

    async def _run(self, drain: Drain, *, fresh: bool) -> None:
        try:
            until = monotonic() + (self._delay_seconds if fresh else 0.0)
            while (left := until - monotonic()) > 0 and not drain.resumed:
                self._serial.check_open()
                await asyncio.sleep(min(POLL_SECONDS, left))
            await self._serial.run(self._shut(drain, fresh=fresh))
            await self._watch(drain)
        finally:
            self._running.discard(drain)
            drain.changed.notify()

    async def _shut(self, drain: Drain, *, fresh: bool) -> None:
        """Refuse new connections from now on, and tell workers to close the open ones."""
        if drain.resumed:
            return
        before = self._drained.saved()
        try:
            if self._drained.close(drain.listener):
                await self._rollout.apply_drains()
        except BaseException:
            self._drained.restore(before)
            if fresh:
                self._drained.resume(drain.listener, self._rollout.names)
            self._report()
            raise
        self._close_connections(drain, drain.spread_seconds)

    async def _watch(self, drain: Drain) -> None:
        """Publish the progress until the drain is complete."""
        names = [drain.listener] if drain.listener else self._rollout.names
        open_before, reset_before = self._open(names), self._reset(names)
        deadline = monotonic() + drain.spread_seconds + drain.grace_seconds
        repeat_at = min(deadline, deadline - drain.grace_seconds + REPEAT_SECONDS)
        while True:
            left = self._open(names)
            reset = self._reset(names) - reset_before
            progress = partial(DrainProgress, open=left, closed=max(0, open_before - left), reset=reset)
            if drain.resumed:
                return drain.publish(progress(DrainState.RESUMED))
            if not left and self._pool.all_slots_up:
                log.info("drained", extra={"listener": drain.listener or "all", "reset": reset})
                return drain.publish(progress(DrainState.DRAINED))
            self._serial.check_open()
            drain.publish(progress(DrainState.DRAINING))
            if monotonic() >= repeat_at:
                self._close_connections(drain, 0.0, reset=repeat_at >= deadline)
                late = repeat_at >= deadline
                repeat_at = repeat_at + REPEAT_SECONDS if late else min(deadline, repeat_at + REPEAT_SECONDS)
            await asyncio.sleep(POLL_SECONDS)

    def _close_connections(self, drain: Drain, spread_seconds: float, *, reset: bool = False) -> None:
        if drain.closes:
            names = [name for name in self._rollout.names if self._drained.shut(name) and drain.listener in ("", name)]
            close = CloseConnections(listeners=names, over_milliseconds=round(spread_seconds * 1000), reset=reset)
            self._pool.tell_all(Command(close_connections=close))

    def _open(self, names: Collection[str]) -> int:
        return sum(self._counts(name).open for name in names)

    def _reset(self, names: Collection[str]) -> int:
        return sum(self._counts(name).aborted for name in names)

    def _counts(self, name: str) -> Counts:
        return read_counts(self._counters, self._pool.layout, name)

    def _report(self) -> None:
        """Report the drained listeners."""
        self._readiness.report_listeners(self._rollout.names, self._drained)
