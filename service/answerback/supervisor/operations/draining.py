"""Listeners that take nobody in, and end the conversations that are going on, while the process stays up.

    announced    not serving, by health; whoever connects is served still, for the drain delay
    shut         connecting is refused; what had queued was accepted before
    draining     connections are closed in order, spread over a time, each at the end of its reply
    drained      none is left; after the grace period, what is open still has been reset

It lasts until `resume`, whatever changes of the configuration come meanwhile.
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

# Rule: a drain that has begun goes on, although whoever asked for it may leave.
# Rule: who is accepted late (by a successor, from the queue of a worker that died) is told to close as well.

POLL: Final = 0.1  # seconds between two looks at the books
REPEAT: Final = 1.0  # seconds between two orders to close, once all have been told

log = logging.getLogger(__name__)

Exclusively = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]


class Drain:
    """One drain, as it was asked for."""

    def __init__(self, listener: str, over: float, grace: float) -> None:
        self.listener = listener
        self.over = over
        self.grace = grace
        self.progress = DrainProgress(DrainState.DRAINING, 0, 0)
        self.changed = Notifier()
        self.resumed = False
        self.orders = True
        """Whether it is for this one to tell workers what to close; a later drain of the same goes before."""

    def concerns(self, listener: str) -> bool:
        """Whether another drain or a resume of this listener (empty: all) has to do with this one."""
        return not listener or self.listener in ("", listener)

    def tell(self, progress: DrainProgress) -> None:
        """So far it is now."""
        if progress != self.progress:
            self.progress = progress
            self.changed.ring()


class DrainController:
    """Drains listeners, and has them listen again."""

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
        """`counts` of a listener, by the books; `delay`: how long to accept on, in seconds.

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
        """Drain a listener, or all and those to come; what is open is closed within `over` seconds, evenly spread.

        What is open `grace` seconds after that is reset.

        How far it is, until it is over. Raises Stopping; ChangeFailed if it could not begin, then nothing has changed.
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
        """Have a listener, or all, listen again; the names of those that had been drained. Raises ChangeFailed."""
        resumed: list[str] = []

        async def work() -> None:
            before = self._drained.saved()
            resumed.extend(self._drained.resume(listener, self._rollout.names))
            try:
                await self._rollout.turn(self._crew.hands)
            except BaseException:
                self._drained.restore(before)
                raise
            for worker in self._crew.hands:
                worker.tell(Order(keep_connections=KeepConnections(listeners=resumed)))
            for drain in self._running:
                drain.resumed = drain.resumed or drain.concerns(listener)
            self._changed()
            audit.note("resumed", listener=listener, listeners=resumed)

        await self._exclusively(work)
        return resumed

    def state(self, name: str) -> DrainState | None:
        """Of one listener; None if it listens."""
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
        """Refuse whoever connects from now on, and have those who have be told."""
        if drain.resumed:
            return
        before = self._drained.saved()
        try:
            if self._drained.close(drain.listener):
                await self._rollout.turn(self._crew.hands)
        except BaseException:
            self._drained.restore(before)
            if fresh:
                self._drained.resume(drain.listener, self._rollout.names)
            self._changed()
            raise
        self._order(drain, drain.over)

    async def _watch(self, drain: Drain) -> None:
        """Tell how far it is, until it is over."""
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
            for worker in self._crew.hands:
                worker.tell(Order(close_connections=order))

    def _open(self, names: Collection[str]) -> int:
        return sum(self._counts(name).open for name in names)

    def _reset(self, names: Collection[str]) -> int:
        return sum(self._counts(name).aborted for name in names)

    def _over(self, drain: Drain, task: "asyncio.Task[None]") -> None:
        del self._running[drain]
        if not task.cancelled():
            task.exception()  # it is raised to whoever asked, if that one is still there
        drain.changed.ring()
