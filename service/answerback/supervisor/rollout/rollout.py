"""The rollout of a revision, and the active one.

Sockets.binding       binds new addresses
TwoPhaseChange        prepares every worker; where a queue is to be full, workers stop accepting
Sockets.changing      new addresses listen, queues are filled; an error up to here changes nothing
RevisionStore         records the revision: the decision; there is no way back from here
TwoPhaseChange        every worker commits, or dies, and its successor starts with the new revision
AddressCloser         closes removed addresses, and those that refuse clients now, when no handshake is in progress
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from answerback.concurrency.serial import SerialRunner
from answerback.internal.v1.link_pb2 import Command, ListenerLayout, LoadCertificates
from answerback.language.addresses import socket_key
from answerback.language.enums import accept_of
from answerback.language.problems import InvalidConfig, Problem
from answerback.language.tls_files import Materials
from answerback.supervisor import audit
from answerback.supervisor.errors import ChangeFailed, Conflict, NotRecorded, StoreFailed
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.revisions.store import Revision, RevisionStore, fingerprint
from answerback.supervisor.rollout.address_closer import AddressCloser
from answerback.supervisor.rollout.candidate import Candidate
from answerback.supervisor.rollout.drained import DrainedListeners
from answerback.supervisor.rollout.rule_counters import RuleCounters
from answerback.supervisor.rollout.two_phase import SocketsBySlot, TwoPhaseChange, certificates_of, layouts_of
from answerback.supervisor.sockets.listen_state import ListenState, listen_state_of
from answerback.supervisor.sockets.table import Bound, CannotListen, Sockets
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.v1 import config_pb2 as v1

# Rule: one rollout at a time: `apply` and `apply_drains` run in operations of `serial`, `boot` between them.


class Clock:
    """Dates revisions by the time of day, which may step."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def now_ns(self) -> int:
        """Return the time in nanoseconds since 1970."""
        return int(self.now().timestamp() * 10**6) * 10**3


class Rollout:
    """Activates revisions on the workers of a pool; `current` is the active one."""

    def __init__(
        self,
        options: Options,
        timeouts: Timeouts,
        pool: WorkerPool,
        sockets: Sockets,
        store: RevisionStore,
        serial: SerialRunner,
        clock: Clock,
    ) -> None:
        self.current: Revision | None = None
        self.materials: Materials = {}
        """What the files hold that `tls` of the active revision names: as they were read last, if that was valid."""
        self.counters = RuleCounters(pool.layout)
        self.drained = DrainedListeners()
        self.closer = AddressCloser(sockets, pool, serial)
        self._options = options
        self._timeouts = timeouts
        self._pool = pool
        self._sockets = sockets
        self._store = store
        self._serial = serial
        self.clock = clock

    @property
    def names(self) -> list[str]:
        """The names of the active listeners."""
        return [listener.name for listener in self.current.config.listeners] if self.current else []

    def connection_cells(self, listener: str = "") -> list[int]:
        """Return the cells in which the connections of active listeners are numbered: of all, or of the named one."""
        return [self._pool.layout.listener(name) for name in self.names if listener in ("", name)]

    async def apply(self, candidate: Candidate, comment: str, *, stored: Revision | None = None) -> int:
        """Activate a configuration on all workers, which the first call starts; return how many serve it then.

        `stored`: the revision that it is, if the store has it already. Raises InvalidConfig, ChangeFailed,
        StoreFailed, CountersExhausted, Stopping; at the start WorkerDied and OSError. Then nothing has changed.
        """
        revision = stored or await self._next(candidate, comment)
        sequences = self.counters.plan(candidate.config)
        layouts = layouts_of(candidate.config, self._pool.layout, sequences)
        keys = [layout.socket for layout in layouts]
        with blaming_listeners(candidate, keys), self._sockets.binding(keys) as bound:
            workers = self._pool.change_targets if self.current else await self._pool.start()
            change = self._two_phases(revision, layouts, candidate.materials)
            await change.prepare(workers, by_slot(bound, {worker.slot for worker in workers}))
            try:
                self._serial.check_open()
                states = self._listen_states(revision.config, keys)
                await self._announce(change, workers, states)
                await self._decide(revision, bound, states, record=stored is None)
                self.counters.commit(sequences)
                self.materials = candidate.materials
            except BaseException:
                change.abort(workers)
                raise
        count = await change.commit(workers)
        await self.closer.begin()
        self.drained.keep(listener.name for listener in candidate.config.listeners)
        return count

    def try_binding(self, candidate: Candidate) -> None:
        """Bind the new addresses of a configuration, and close them. Raises InvalidConfig."""
        keys = [socket_key(listener) for listener in candidate.config.listeners]
        with blaming_listeners(candidate, keys), self._sockets.binding(keys):
            pass

    async def boot(self, process: WorkerProcess) -> None:
        """Let a new worker serve the active revision. Raises WorkerDied."""
        async with self._serial.between():
            change = self._repeated()
            try:
                await change.prepare([process], {process.slot: self._sockets.of(process.slot)})
            except (InvalidConfig, ChangeFailed) as error:
                await process.kill_and_wait(f"it cannot serve the active revision: {error}")
                raise WorkerDied(process.exit_reason) from None
            if not await change.commit([process]):
                raise WorkerDied(process.exit_reason)
            await self.closer.begin()

    async def apply_drains(self) -> None:
        """Let workers and sockets follow the set of drained listeners.

        Raises ChangeFailed; then nothing has changed.
        """
        assert self.current is not None
        workers, change = self._pool.change_targets, self._repeated()
        await change.prepare(workers, {})
        keys = [layout.socket for layout in self._layouts(self.current.config)]
        states = self._listen_states(self.current.config, keys)
        try:
            await self._announce(change, workers, states)
            async with self._sockets.changing({}, states):
                pass
        except BaseException as error:
            change.abort(workers)
            if isinstance(error, CannotListen):
                raise ChangeFailed(str(error)) from None
            raise
        await change.commit(workers)
        await self.closer.begin()

    async def note_file(self, candidate: Candidate) -> None:
        """The active configuration was read from the file as well. Raises NotRecorded."""
        try:
            await self._store.note_file(fingerprint(candidate.config, candidate.files))
        except StoreFailed as error:
            raise NotRecorded(error) from None

    async def _announce(
        self, change: TwoPhaseChange, workers: Sequence[WorkerProcess], states: Mapping[str, ListenState]
    ) -> None:
        """Tell workers where to stop accepting, and where SYN filters will be set. Raises ChangeFailed."""
        await change.pause(workers, self._sockets.to_be_stalled(states))
        if errors := await self.closer.announce_syn_filters(workers, self._sockets.to_be_silent(states)):
            raise ChangeFailed("; ".join(errors))

    async def _next(self, candidate: Candidate, comment: str) -> Revision:
        newest = self.current or await self._store.newest()
        number = newest.number + 1 if newest is not None else 1
        etag = self._store.etag(number)
        caller = audit.CALLER.get()
        identity = caller.identity if caller is not None else ""
        config, files, origin = candidate.config, candidate.files, candidate.origin
        return Revision(number, etag, config, files, self.clock.now(), origin, comment, identity)

    async def _decide(
        self, revision: Revision, bound: Mapping[str, Bound], states: Mapping[str, ListenState], *, record: bool
    ) -> None:
        """Listen, and record the revision: it is active, or, if anything is raised, it is not.

        Listening comes first, because it can fail: another process may have taken the port since it was bound.
        """
        async with self._sockets.changing(bound, states):
            try:
                if record:
                    await self._store.append(revision, after=revision.number - 1)
            except (Conflict, StoreFailed) as error:
                raise NotRecorded(error) from None
        self.current = revision

    def _listen_states(self, config: v1.Config, keys: Sequence[str]) -> dict[str, ListenState]:
        """Return each address's listen state, by the listeners' keys in order; addresses without a listener close."""
        served = self.drained.applied(config).listeners
        states = {key: listen_state_of(accept_of(listener)) for key, listener in zip(keys, served, strict=True)}
        return dict.fromkeys(self._sockets.keys, ListenState.CLOSING) | states

    def _layouts(self, config: v1.Config) -> list[ListenerLayout]:
        """Return the layouts of the active configuration, which has no new sequences."""
        return layouts_of(config, self._pool.layout, self.counters.plan(config))

    def _repeated(self) -> TwoPhaseChange:
        """Return a change to the active revision itself, as the drains are now."""
        assert self.current is not None
        return self._two_phases(self.current, self._layouts(self.current.config), self.materials)

    def load_certificates(self, renewed: Materials) -> list[str]:
        """Let workers use these in new handshakes; return the listeners, as far as they are active.

        Call it in an operation of `serial`: a change that is being prepared has the former ones.
        """
        assert self.current is not None
        found = certificates_of(self.current.config, renewed)
        self.materials = {key: renewed.get(key, material) for key, material in self.materials.items()}
        self._pool.tell_all(Command(load_certificates=LoadCertificates(certificates=found)))
        return [each.listener for each in found]

    def _two_phases(
        self, revision: Revision, layouts: Sequence[ListenerLayout], materials: Materials
    ) -> TwoPhaseChange:
        revision = replace(revision, config=self.drained.applied(revision.config))
        engine = self._options.default_engine
        return TwoPhaseChange(revision, layouts, materials, engine, self._pool, self._sockets, self._timeouts)


def by_slot(bound: Mapping[str, Bound], slots: Collection[int]) -> SocketsBySlot:
    """Return the sockets of new addresses, for each of these slots."""
    return {slot: {key: each.sockets[slot] for key, each in bound.items()} for slot in slots}


@contextmanager
def blaming_listeners(candidate: Candidate, keys: Sequence[str]) -> Iterator[None]:
    """Turn CannotListen into problems of the listeners, whose `keys` are given in their order."""
    try:
        yield
    except CannotListen as error:
        listeners = candidate.config.listeners
        problems = [
            Problem(f"listeners[{index}].address", f"{listeners[index].address}: {error.reasons[key]}")
            for index, key in enumerate(keys)
            if key in error.reasons
        ]
        raise InvalidConfig(candidate.document.located(problems)) from None
