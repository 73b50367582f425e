"""The operations on a running server, apart from changes of its configuration."""

import asyncio
from collections.abc import AsyncIterator
from itertools import chain, count

from answerback.concurrency.serial import SerialRunner
from answerback.concurrency.tasks import Tasks
from answerback.internal.v1.link_pb2 import Command, ResetCounters
from answerback.language.editing import NoSuchListener, index_of
from answerback.language.faults import fault_key
from answerback.language.rules import rule_key
from answerback.shared import variables
from answerback.supervisor import audit
from answerback.supervisor.errors import ChangeFailed, NoSuchCounter
from answerback.supervisor.operations.draining import DrainController
from answerback.supervisor.operations.rolling_restart import Restarted, RollingRestart
from answerback.supervisor.operations.signals import Signals
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.rollout.rollout import Rollout
from answerback.supervisor.status import DrainProgress
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied
from answerback.v1 import config_pb2 as v1


class Operations:
    """The implementation of OperationsService."""

    def __init__(
        self,
        options: Options,
        timeouts: Timeouts,
        pool: WorkerPool,
        rollout: Rollout,
        restart: RollingRestart,
        drains: DrainController,
        serial: SerialRunner,
    ) -> None:
        self._options = options
        self._timeouts = timeouts
        self._pool = pool
        self._rollout = rollout
        self._restart = restart
        self._drains = drains
        self._serial = serial
        self._tasks = Tasks()
        self.signals = Signals(pool, self._config)

    def drain(
        self, listener: str = "", spread_seconds: float = 0.0, grace_seconds: float | None = None
    ) -> AsyncIterator[DrainProgress]:
        """Drain one listener or all; by default with the server's grace period. Raises NoSuchListener."""
        self._check(listener)
        return self._drains.drain(listener, spread_seconds, self._grace(grace_seconds))

    async def resume(self, listener: str = "") -> list[str]:
        """End the drain of one listener or of all; return their names. Raises NoSuchListener."""
        self._check(listener)
        return await self._drains.resume(listener)

    def restart_workers(self, spread_seconds: float, grace_seconds: float | None = None) -> AsyncIterator[Restarted]:
        """Replace the workers one by one; by default with the server's grace period."""
        return self._restart.restart(spread_seconds, self._grace(grace_seconds))

    async def reset_counters(self, listener: str = "", rule: str = "", fault: str = "") -> int:
        """Reset the sequences of rules and faults: all, a listener's, or named ones; return how many were reset.

        All or a listener's: `connection.number` starts again, too.
        All of them: the shared variables and the signals that are kept are removed too.

        Raises NoSuchListener, NoSuchCounter, Stopping, ChangeFailed.
        """
        return await self._serial.run(self._reset_counters(listener, rule, fault))

    async def _reset_counters(self, listener: str, rule: str, fault: str) -> int:
        self._check(listener, rule, fault)
        names = [(kind, name) for kind, name in ((v1.Rule, rule), (v1.Fault, fault)) if name]
        sequences = self._rollout.counters.cells(listener, names)
        connections = [] if names else self._rollout.connection_cells(listener)
        if sequences or connections:
            reset = ResetCounters(
                cells=chain(connections, *(each.cells for each in sequences if not each.for_peers)),
                peer_cells=chain.from_iterable(each.cells for each in sequences if each.for_peers),
            )
            await self._ask_any(Command(reset_counters=reset), "counters_reset")
        if not listener:
            self.signals.clear()
        if not listener and self._options.variables is not None:
            await asyncio.to_thread(variables.clear, self._options.variables)
        audit.note("counters reset", listener=listener, rule=rule, fault=fault, counters=len(sequences))
        return len(sequences)

    async def signal(self, name: str, count: int) -> tuple[int, int]:
        """Give a signal; return how many waits that ended, and how many are kept. Raises NoSuchSignal."""
        return await self._tasks.finish(self._signal(name, count))

    async def _signal(self, name: str, count: int) -> tuple[int, int]:
        woken, kept = await self.signals.give(name, count)
        audit.note("signal given", signal=name, count=count, woken=woken)
        return woken, kept

    def _config(self) -> v1.Config:
        return self._rollout.current.config if self._rollout.current is not None else v1.Config()

    def _grace(self, seconds: float | None) -> float:
        return self._options.grace_seconds if seconds is None else seconds

    def _check(self, *names: str) -> None:
        assert self._rollout.current is not None
        check_named(self._rollout.current.config, *names)

    async def _ask_any(self, command: Command, answer: str) -> None:
        """Run a command on shared state on any live worker; retry on the next if it dies. Raises ChangeFailed."""
        for worker in self._pool.workers:
            try:
                await worker.ask(command, answer, within_seconds=self._timeouts.answer_seconds)
            except WorkerDied:
                continue
            return
        raise ChangeFailed("no worker is running")


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
