"""A change on the workers, in two phases: all are prepared, or none is changed."""

import asyncio
import logging
import socket
from collections.abc import Callable, Collection, Mapping, Sequence

from answerback.core.plan import Engine
from answerback.internal.v1.link_pb2 import (
    Abort,
    Commit,
    File,
    Filler,
    ListenerPlaces,
    Order,
    Pause,
    Prepare,
    SocketName,
)
from answerback.language.addresses import socket_key
from answerback.language.contents import Files, Large, Sealed
from answerback.language.enums import ENGINE_VALUES
from answerback.language.faults import fault_key
from answerback.language.problems import Problem, Refused
from answerback.language.rules import rule_key
from answerback.link import MessageTooLarge
from answerback.metrics.series import Names
from answerback.shared.counters import CounterLayout
from answerback.supervisor.errors import ChangeFailed
from answerback.supervisor.revisions.store import Revision
from answerback.supervisor.rollout.rule_counters import Kept, Key
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.v1 import config_pb2 as v1

# Rule: every reply is awaited before an abort, so that none is taken for the reply to a later command.
# Rule: after the decision workers are not asked any more: one that does not commit is dead, or is killed.

# The factor by which preparing may take longer than other commands: a worker compiles up to 250,000 instructions of
# patterns, with pauses. A worker that is stuck sends no heartbeat, and is killed sooner.
PREPARE = 4

SocketsOf = Callable[[int], Mapping[str, socket.socket]]

log = logging.getLogger(__name__)


def places_of(config: v1.Config, places: CounterLayout, counters: Kept) -> list[ListenerPlaces]:
    """Return the cells and keys of everything in a configuration. Raises CountersExhausted."""
    found = []

    def counter(*key: *Key) -> int:
        return counters[key][1] if key in counters else 0

    for listener in config.listeners:
        rules = [rule_key(rule, index) for index, rule in enumerate(listener.rules)]
        faults = [fault_key(fault, index) for index, fault in enumerate(listener.faults)]
        found.append(
            ListenerPlaces(
                listener=listener.name,
                block=places.listener(listener.name),
                rules=[places.rule(listener.name, key) for key in rules],
                socket=socket_key(listener),
                counters=[counter(listener.name, v1.Rule, key) for key in rules],
                faults=[places.fault(listener.name, key) for key in faults],
                fault_counters=[counter(listener.name, v1.Fault, key) for key in faults],
            )
        )
    return found


def names_of(config: v1.Config) -> Names:
    """Return what a configuration counts, by name."""
    listeners = config.listeners
    return Names(
        frozenset(each.name for each in listeners),
        frozenset((each.name, rule_key(rule, at)) for each in listeners for at, rule in enumerate(each.rules)),
        frozenset((each.name, fault_key(fault, at)) for each in listeners for at, fault in enumerate(each.faults)),
    )


def files_of(files: Files, had: Collection[bytes]) -> tuple[list[File], list[int]]:
    """Return the files of a configuration for a worker, and the descriptors to pass.

    `had`: the digests of the large contents that the worker has. Each content is passed once.
    """
    named: list[File] = []
    passed: dict[bytes, int] = {}
    for name, content in files.items():
        if not isinstance(content, Large):
            named.append(File(name=name, data=content))
            continue
        assert isinstance(content, Sealed)
        needed = content.digest not in had and content.digest not in passed
        if needed:
            passed[content.digest] = content.fileno()
        named.append(File(name=name, digest=content.digest, size=len(content), passed=needed))
    return named, list(passed.values())


class TwoPhaseChange:
    """One revision on its way to the workers."""

    def __init__(
        self,
        revision: Revision,
        places: Sequence[ListenerPlaces],
        engine: Engine,
        within: float,
        fillers: Callable[[], Collection[Filler]],
    ) -> None:
        """`engine`: the default for listeners; `within`: a worker's time for each phase, in seconds.

        `fillers`: the connections that fill queues now, or did.
        """
        self._fillers = fillers
        self._number = revision.number
        self._files = revision.files
        self._order = Order(
            prepare=Prepare(
                revision=revision.number,
                config=revision.config,
                places=places,
                default_engine=ENGINE_VALUES[engine],
            )
        )
        self._within = within

    async def prepare(self, workers: Sequence[WorkerProcess], sockets_of: SocketsOf) -> None:
        """Prepare all workers, with the sockets that are new to each, by slot.

        Raises Refused or ChangeFailed; then prepared workers have been told to discard it.
        """
        outcomes = await asyncio.gather(*(self._prepare(worker, sockets_of(worker.slot)) for worker in workers))
        obstacles = [outcome for outcome in outcomes if outcome is not None]
        if obstacles:
            self.abort(workers)
            # Problems that a worker finds in the configuration take precedence over other failures.
            raise min(obstacles, key=lambda obstacle: not isinstance(obstacle, Refused))

    async def pause(self, workers: Sequence[WorkerProcess], keys: Collection[str]) -> None:
        """Stop accepting at these addresses until commit or abort. Raises ChangeFailed."""
        if not keys:
            return
        obstacles = await asyncio.gather(*(self._pause(worker, keys) for worker in workers))
        if any(obstacles):
            raise ChangeFailed(f"{'; '.join(filter(None, obstacles))}; nothing has changed")

    def abort(self, workers: Sequence[WorkerProcess]) -> None:
        """Let the workers discard it."""
        for worker in workers:
            worker.tell(Order(abort=Abort(revision=self._number, fillers=self._fillers())))

    async def commit(self, workers: Sequence[WorkerProcess]) -> int:
        """Activate it; return how many workers serve it, except leaving ones. Workers that fail to are dead."""
        return sum(await asyncio.gather(*map(self._commit, workers)))

    async def _prepare(
        self, worker: WorkerProcess, sockets: Mapping[str, socket.socket]
    ) -> Refused | ChangeFailed | None:
        order = Order()
        order.CopyFrom(self._order)
        order.prepare.sockets.extend(SocketName(key=key, slot=worker.slot) for key in sockets)
        named, passed = files_of(self._files, worker.contents)
        order.prepare.files.extend(named)
        try:
            report = await worker.ask(
                order,
                "prepared",
                "refused",
                within=PREPARE * self._within,
                sockets=list(sockets.values()),
                files=passed,
            )
        except (WorkerDied, MessageTooLarge, OSError) as failure:
            if worker.leaving and worker.over.done():
                return None  # it has finished and exited, which is fine
            return ChangeFailed(f"{failure}; nothing has changed")
        if report.WhichOneof("kind") == "prepared":
            return None
        problems = [Problem(problem.path, problem.message) for problem in report.refused.problems]
        if any(problem.path for problem in problems):
            return Refused(problems)
        return ChangeFailed(f"{worker} {'; '.join(problem.message for problem in problems)}; nothing has changed")

    async def _pause(self, worker: WorkerProcess, keys: Collection[str]) -> str:
        """Pause one worker; return the error, or an empty string."""
        try:
            await worker.ask(Order(pause=Pause(sockets=keys)), "paused", within=self._within)
        except WorkerDied as gone:
            return "" if worker.leaving else str(gone)
        return ""

    async def _commit(self, worker: WorkerProcess) -> bool:
        order = Order(commit=Commit(revision=self._number, fillers=self._fillers()))
        try:
            await worker.ask(order, "committed", within=self._within)
        except WorkerDied as gone:
            if not worker.leaving:
                log.warning("%s instead of committing revision %d", gone, self._number)
            return False
        worker.committed(self._number)
        worker.contents = frozenset(each.digest for each in self._files.values() if isinstance(each, Large))
        return not worker.leaving
