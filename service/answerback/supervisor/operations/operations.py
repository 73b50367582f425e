"""The operations on a running server, apart from changes of its configuration."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import chain, count
from typing import Protocol, TypeVar

from answerback.internal.v1.link_pb2 import Order, ResetCounters
from answerback.language.editing import NoSuchListener, index_of
from answerback.language.faults import fault_key
from answerback.language.rules import rule_key
from answerback.supervisor import audit
from answerback.supervisor.errors import ChangeFailed, NoSuchCounter
from answerback.supervisor.operations.draining import DrainController
from answerback.supervisor.operations.rolling_restart import Restarted, RollingRestart
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.rollout.rollout import Rollout
from answerback.supervisor.status import DrainProgress
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied
from answerback.v1 import config_pb2 as v1

T = TypeVar("T")


class Exclusively(Protocol):
    """Runs one operation at a time, to its end even if its caller is cancelled. Raises Stopping."""

    def __call__(self, work: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Run the operation."""


class Operations:
    """The implementation of OperationsService."""

    def __init__(
        self,
        options: Options,
        pace: Timeouts,
        crew: WorkerPool,
        rollout: Rollout,
        restarting: RollingRestart,
        draining: DrainController,
        exclusively: Exclusively,
    ) -> None:
        self._options = options
        self._pace = pace
        self._crew = crew
        self._rollout = rollout
        self._restarting = restarting
        self._draining = draining
        self._exclusively = exclusively

    def drain(self, listener: str = "", over: float = 0.0, grace: float | None = None) -> AsyncIterator[DrainProgress]:
        """See DrainController.drain; `grace` defaults to the server's grace period. Raises NoSuchListener."""
        self._check(listener)
        return self._draining.drain(listener, over, self._options.grace if grace is None else grace)

    async def resume(self, listener: str = "") -> list[str]:
        """See DrainController.resume. Raises NoSuchListener."""
        self._check(listener)
        return await self._draining.resume(listener)

    def restart_workers(self, over: float, grace: float | None = None) -> AsyncIterator[Restarted]:
        """See RollingRestart.restart; `grace` defaults to the server's grace period."""
        audit.note("restarting the workers", over=over)
        return self._restarting.restart(over, self._options.grace if grace is None else grace)

    async def reset_counters(self, listener: str = "", rule: str = "", fault: str = "") -> int:
        """Reset the sequences of rules and faults: all, a listener's, or named ones; return how many were reset.

        Raises NoSuchListener, NoSuchCounter, Stopping, ChangeFailed.
        """
        names = [(kind, name) for kind, name in ((v1.Rule, rule), (v1.Fault, fault)) if name]

        async def work() -> int:
            self._check(listener, rule, fault)
            found = self._rollout.counters.places(listener, names)
            if found:
                order = ResetCounters(places=chain.from_iterable(found))
                await self._by_any_worker(Order(reset_counters=order), "counters_reset")
            audit.note("counters reset", listener=listener, rule=rule, fault=fault, counters=len(found))
            return len(found)

        return await self._exclusively(work)

    def _check(self, *names: str) -> None:
        assert self._rollout.current is not None
        check_named(self._rollout.current.config, *names)

    async def _by_any_worker(self, order: Order, answer: str) -> None:
        """Run a command on shared state on any live worker; retry on the next if it dies. Raises ChangeFailed."""
        for worker in self._crew.workers:
            try:
                await worker.ask(order, answer, within=self._pace.answer)
            except WorkerDied:
                continue
            return
        raise ChangeFailed("no worker is running; nothing has changed")


def check_named(config: v1.Config, listener: str, rule: str = "", fault: str = "") -> None:
    """Raises NoSuchListener or NoSuchCounter if a name does not exist; an empty name means all."""
    if not listener:
        return
    index = index_of(config, listener)
    if index is None:
        raise NoSuchListener(listener)
    found = config.listeners[index]
    if rule and rule not in map(rule_key, found.rules, count()):
        raise NoSuchCounter(listener, "rule", rule)
    if fault and fault not in map(fault_key, found.faults, count()):
        raise NoSuchCounter(listener, "fault", fault)
