"""A change on the workers, in two phases: all are prepared, or none is changed."""

import asyncio
import logging
import socket
from collections.abc import Collection, Mapping, Sequence

from answerback.core.plan import Engine
from answerback.internal.v1.link_pb2 import (
    Abort,
    Certificates,
    Command,
    Commit,
    File,
    ListenerLayout,
    Pause,
    Prepare,
    SocketName,
)
from answerback.language.addresses import socket_key
from answerback.language.contents import Files, Large, Sealed
from answerback.language.enums import ENGINE_VALUES
from answerback.language.faults import fault_key
from answerback.language.problems import InvalidConfig, Problem
from answerback.language.redaction import redacted
from answerback.language.rules import expects, rule_key
from answerback.language.tls_files import Materials, key_of, tls_of
from answerback.link import MessageTooLarge
from answerback.metrics.series import Names
from answerback.shared.counters import CounterLayout
from answerback.supervisor.errors import ChangeFailed
from answerback.supervisor.options import Timeouts
from answerback.supervisor.revisions.store import Revision
from answerback.supervisor.rollout.rule_counters import Key, Sequences
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.v1 import config_pb2 as v1

# Rule: every reply is awaited before an abort, so that none is taken for the reply to a later command.
# Rule: after the decision workers are not asked any more: one that does not commit is dead, or is killed.

# The factor by which preparing may take longer than other commands: a worker compiles up to 250,000 instructions of
# patterns, with pauses. A worker that is stuck sends no heartbeat, and is killed sooner.
PREPARE_FACTOR = 4

SocketsBySlot = Mapping[int, Mapping[str, socket.socket]]
"""Listening sockets by slot, and by the key of their address."""

log = logging.getLogger(__name__)


def layouts_of(config: v1.Config, layout: CounterLayout, sequences: Sequences) -> list[ListenerLayout]:
    """Return the cells and keys of everything in a configuration. Raises CountersExhausted."""
    found = []

    def counter(*key: *Key) -> int:
        return sequences[key].cells.start if key in sequences else 0

    for listener in config.listeners:
        rules = [rule_key(rule, index) for index, rule in enumerate(listener.rules)]
        faults = [fault_key(fault, index) for index, fault in enumerate(listener.faults)]
        found.append(
            ListenerLayout(
                listener=listener.name,
                block=layout.listener(listener.name),
                rules=[layout.rule(listener.name, key) for key in rules],
                socket=socket_key(listener),
                counters=[counter(listener.name, v1.Rule, key) for key in rules],
                faults=[layout.fault(listener.name, key) for key in faults],
                fault_counters=[counter(listener.name, v1.Fault, key) for key in faults],
                unexpected=[
                    layout.unexpected(listener.name, key) if expects(rule) else 0
                    for rule, key in zip(listener.rules, rules, strict=True)
                ],
            )
        )
    return found


def names_of(config: v1.Config) -> Names:
    """Return what a configuration counts, by name."""
    listeners = config.listeners
    return Names(
        frozenset(each.name for each in listeners),
        frozenset((each.name, rule_key(rule, at)) for each in listeners for at, rule in enumerate(each.rules)),
        frozenset(
            (each.name, rule_key(rule, at)) for each in listeners for at, rule in enumerate(each.rules) if expects(rule)
        ),
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


def certificates_of(config: v1.Config, materials: Materials) -> list[Certificates]:
    """Return the certificates of the listeners, and of their upstreams, that have some of these."""
    found = []
    for listener in config.listeners:
        for _, tls in tls_of(listener):
            material = materials.get(key_of(tls))
            if material is not None:
                pairs = [Certificates.Pair(cert=cert.content, key=key.content) for cert, key in material.pairs]
                found.append(
                    Certificates(
                        listener=listener.name,
                        main=pairs[0] if pairs else None,
                        client_ca=material.ca.content if material.ca else b"",
                        sni=pairs[1:],
                        of_upstream=isinstance(tls, v1.UpstreamTls),
                    )
                )
    return found


class TwoPhaseChange:
    """One revision on its way to the workers."""

    def __init__(
        self,
        revision: Revision,
        layouts: Sequence[ListenerLayout],
        materials: Materials,
        engine: Engine,
        pool: WorkerPool,
        sockets: Sockets,
        timeouts: Timeouts,
    ) -> None:
        """`engine`: the default for listeners. `sockets` names the connections that fill queues now, or did."""
        self._pool = pool
        self._sockets = sockets
        self._number = revision.number
        self._files = revision.files
        self._command = Command(
            prepare=Prepare(
                revision=revision.number,
                config=redacted(revision.config),
                layouts=layouts,
                default_engine=ENGINE_VALUES[engine],
                certificates=certificates_of(revision.config, materials),
            )
        )
        self._answer_seconds = timeouts.answer_seconds

    async def prepare(self, workers: Sequence[WorkerProcess], sockets: SocketsBySlot) -> None:
        """Prepare all workers, with the sockets that are new to each.

        Raises InvalidConfig or ChangeFailed; then prepared workers have been told to discard it.
        """
        results = await asyncio.gather(*(self._prepare(worker, sockets.get(worker.slot, {})) for worker in workers))
        errors = [result for result in results if result is not None]
        if errors:
            self.abort(workers)
            # Problems that a worker finds in the configuration take precedence over other failures.
            raise min(errors, key=lambda error: not isinstance(error, InvalidConfig))

    async def pause(self, workers: Sequence[WorkerProcess], keys: Collection[str]) -> None:
        """Stop accepting at these addresses until commit or abort. Raises ChangeFailed."""
        if keys and (errors := await self._pool.ask_all(workers, Command(pause=Pause(sockets=keys)), "paused")):
            raise ChangeFailed("; ".join(errors))

    def abort(self, workers: Sequence[WorkerProcess]) -> None:
        """Let the workers discard it."""
        for worker in workers:
            worker.tell(Command(abort=Abort(revision=self._number, fillers=self._sockets.fillers())))

    async def commit(self, workers: Sequence[WorkerProcess]) -> int:
        """Activate it; return how many workers serve it, except retiring ones. Workers that fail to are dead."""
        return sum(await asyncio.gather(*map(self._commit, workers)))

    async def _prepare(
        self, worker: WorkerProcess, sockets: Mapping[str, socket.socket]
    ) -> InvalidConfig | ChangeFailed | None:
        command = Command()
        command.CopyFrom(self._command)
        command.prepare.sockets.extend(SocketName(key=key, slot=worker.slot) for key in sockets)
        named, passed = files_of(self._files, worker.contents)
        command.prepare.files.extend(named)
        try:
            event = await worker.ask(
                command,
                "prepared",
                "rejected",
                within_seconds=PREPARE_FACTOR * self._answer_seconds,
                sockets=list(sockets.values()),
                files=passed,
            )
        except (WorkerDied, MessageTooLarge, OSError) as failure:
            if worker.retiring and worker.exited.done():
                return None  # it has finished and exited, which is fine
            return ChangeFailed(str(failure))
        if event.WhichOneof("kind") == "prepared":
            return None
        problems = [Problem(problem.path, problem.message) for problem in event.rejected.problems]
        if any(problem.path for problem in problems):
            return InvalidConfig(problems)
        return ChangeFailed(f"{worker}: {'; '.join(problem.message for problem in problems)}")

    async def _commit(self, worker: WorkerProcess) -> bool:
        command = Command(commit=Commit(revision=self._number, fillers=self._sockets.fillers()))
        try:
            await worker.ask(command, "committed", within_seconds=self._answer_seconds)
        except WorkerDied as gone:
            if not worker.retiring:
                log.warning("revision %d was not committed: %s", self._number, gone)
            return False
        worker.committed(self._number)
        worker.contents = frozenset(each.digest for each in self._files.values() if isinstance(each, Large))
        return not worker.retiring
