"""Drains listeners: stops accepting and ends their conversations, while the process stays up.

    announced    health reports not serving; new connections are served still, for the drain delay
    shut         new connections are refused; those queued before were accepted
    draining     connections are closed in order, spread over a time, each at the end of its reply
    drained      none is left; connections open after the grace period have been reset

A drain lasts until `resume`, across changes of the configuration.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from functools import partial
from time import monotonic
from typing import Final

from answerback.internal.v1.link_pb2 import CloseConnections, KeepConnections, Order
from answerback.metrics.snapshot import Counts
from answerback.supervisor import audit
from answerback.supervisor.aio.notifier import Notifier
from answerback.supervisor.rollout.rollout import Rollout
from answerback.supervisor.status import DrainProgress, DrainState
from answerback.supervisor.workers.pool import WorkerPool

# Rule: a drain that has begun continues, even if its caller disconnects.
# Rule: connections accepted late (by a successor, from the queue of a dead worker) are told to close as well.

POLL: Final = 0.1  # seconds between two reads of the counters
REPEAT: Final = 1.0  # seconds between two close commands, once all workers have one

log = logging.getLogger(__name__)

Exclusively = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]


class Drain:
    """One drain, as requested."""

    def __init__(self, listener: str, over: float, grace: float) -> None:
        self.listener = listener
        self.over = over
        self.grace = grace
        self.progress = DrainProgress(DrainState.DRAINING, 0, 0)
        self.changed = Notifier()
        self.resumed = False
        self.orders = True
        """Whether this drain tells workers what to close; a later drain of the same listener takes precedence."""

    def concerns(self, listener: str) -> bool:
        """Whether another drain or a resume of this listener (empty: all) overlaps with this one."""
        return not listener or self.listener in ("", listener)

    def tell(self, progress: DrainProgress) -> None:
        """Publish the progress."""
        if progress != self.progress:
            self.progress = progress
            self.changed.ring()


class DrainController:
    """Drains and resumes listeners."""

    def __init__(
        self,
        crew: WorkerPool,
        rollout: Rollout,
        counts: Callable[[str], Counts],
        delay: float,
        exclusively: Exclusively,
        proceed: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        """`counts` gives a listener's counters; `delay`: how long to accept on, in seconds.

        `proceed` raises Stopping if there is no use in going on; `changed` is called when health may be another.
        """
        self._crew = crew
        self._rollout = rollout
        self._counts = counts
        self._drained = rollout.drained
        self._delay = delay
        self._exclusively = exclusively
        self._proceed = proceed
        self._changed = changed
        self._running: dict[Drain, asyncio.Task[None]] = {}

    async def drain(self, listener: str, over: float, grace: float) -> AsyncIterator[DrainProgress]:
        """Drain a listener, or all, including future ones; connections are closed evenly over `over` seconds.

        Connections open `grace` seconds after that are reset.

        Yields the progress until it is complete. Raises Stopping; ChangeFailed if it could not begin, then nothing
        has changed.
        """
        self._proceed()
        drain = Drain(listener, over, grace)
        fresh = self._drained.announce(listener)
        self._changed()
        audit.note("draining", listener=listener, over=over, grace=grace)
        for other in self._running:
            other.orders = other.orders and not other.concerns(listener)
        task = asyncio.get_running_loop().create_task(self._run(drain, fresh=fresh))
        self._running[drain] = task
        task.add_done_callback(partial(self._over, drain))
        told: DrainProgress | None = None
        while not task.done() or told is not drain.progress:
            ring = drain.changed.next()
            if told is not drain.progress:
                told = drain.progress
                yield told
            else:
                await ring
        await task

    async def resume(self, listener: str) -> list[str]:
        """Let a listener, or all, listen again; return the names of those that were drained. Raises ChangeFailed."""
        resumed: list[str] = []

        async def work() -> None:
            before = self._drained.saved()
            resumed.extend(self._drained.resume(listener, self._rollout.names))
            try:
                await self._rollout.turn(self._crew.change_targets)
            except BaseException:
                self._drained.restore(before)
                raise
            for worker in self._crew.change_targets:
                worker.tell(Order(keep_connections=KeepConnections(listeners=resumed)))
            for drain in self._running:
                drain.resumed = drain.resumed or drain.concerns(listener)
            self._changed()
            audit.note("resumed", listener=listener, listeners=resumed)

        await self._exclusively(work)
        return resumed

    def state(self, name: str) -> DrainState | None:
        """Return the drain state of a listener; None if it listens."""
        if not self._drained.announced(name):
            return None
        done = self._drained.shut(name) and not self._open([name])
        return DrainState.DRAINED if done else DrainState.DRAINING

    async def _run(self, drain: Drain, *, fresh: bool) -> None:
        until = monotonic() + (self._delay if fresh else 0.0)
        while (left := until - monotonic()) > 0 and not drain.resumed:
            self._proceed()
            await asyncio.sleep(min(POLL, left))
        await self._exclusively(partial(self._shut, drain, fresh=fresh))
        await self._watch(drain)

    async def _shut(self, drain: Drain, *, fresh: bool) -> None:
        """Refuse new connections from now on, and tell workers to close the open ones."""
        if drain.resumed:
            return
        before = self._drained.saved()
        try:
            if self._drained.close(drain.listener):
                await self._rollout.turn(self._crew.change_targets)
        except BaseException:
            self._drained.restore(before)
            if fresh:
                self._drained.resume(drain.listener, self._rollout.names)
            self._changed()
            raise
        self._order(drain, drain.over)

    async def _watch(self, drain: Drain) -> None:
        """Publish the progress until the drain is complete."""
        names = [drain.listener] if drain.listener else self._rollout.names
        began, reset_before = self._open(names), self._reset(names)
        deadline = monotonic() + drain.over + drain.grace
        repeat = min(deadline, deadline - drain.grace + REPEAT)
        while True:
            left = self._open(names)
            reset = self._reset(names) - reset_before
            progress = partial(DrainProgress, open=left, closed=max(0, began - left), reset=reset)
            if drain.resumed:
                return drain.tell(progress(DrainState.RESUMED))
            if not left and self._crew.complete:
                log.info("drained", extra={"listener": drain.listener or "all", "reset": reset})
                return drain.tell(progress(DrainState.DRAINED))
            self._proceed()
            drain.tell(progress(DrainState.DRAINING))
            if monotonic() >= repeat:
                self._order(drain, 0.0, reset=repeat >= deadline)
                repeat = repeat + REPEAT if repeat >= deadline else min(deadline, repeat + REPEAT)
            await asyncio.sleep(POLL)

    def _order(self, drain: Drain, over: float, *, reset: bool = False) -> None:
        if drain.orders:
            names = [name for name in self._rollout.names if self._drained.shut(name) and drain.listener in ("", name)]
            order = CloseConnections(listeners=names, over_milliseconds=round(over * 1000), reset=reset)
            for worker in self._crew.change_targets:
                worker.tell(Order(close_connections=order))

    def _open(self, names: Collection[str]) -> int:
        return sum(self._counts(name).open for name in names)

    def _reset(self, names: Collection[str]) -> int:
        return sum(self._counts(name).aborted for name in names)

    def _over(self, drain: Drain, task: "asyncio.Task[None]") -> None:
        del self._running[drain]
        if not task.cancelled():
            task.exception()  # it is raised to the caller, if that is still waiting
        drain.changed.ring()
