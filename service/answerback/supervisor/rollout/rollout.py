"""The rollout of a revision, and the active one.

Sockets.binding       binds new addresses
TwoPhaseChange        prepares every worker; where a queue is to be full, workers stop accepting
Sockets.turning       new addresses listen, queues are filled; an error up to here changes nothing
record                the decision: there is no way back from here
TwoPhaseChange        every worker commits, or dies, and its successor starts with the new revision
Closing               closes removed addresses, and those that refuse clients now, when no handshake is in progress
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from answerback.internal.v1.link_pb2 import ListenerPlaces
from answerback.language.enums import accept_of
from answerback.language.problems import Problem, Refused
from answerback.shared.counters import CounterLayout
from answerback.supervisor import audit
from answerback.supervisor.errors import ChangeFailed, NotRecorded
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.revisions.store import Conflict, Revision, RevisionStore, StoreFailed, fingerprint
from answerback.supervisor.rollout.candidate import Candidate
from answerback.supervisor.rollout.drained import DrainedListeners
from answerback.supervisor.rollout.rule_counters import Counters
from answerback.supervisor.rollout.two_phase import TwoPhaseChange, places_of
from answerback.supervisor.sockets.closing import Closing
from answerback.supervisor.sockets.listen_state import ListenState, door_of
from answerback.supervisor.sockets.table import Bound, CannotListen, Sockets
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.v1 import config_pb2 as v1

# Rule: one rollout at a time; the caller holds the lock.

Targets = Callable[[], Awaitable[list[WorkerProcess]]]
Clock = Callable[[], datetime]


def time_of_day() -> datetime:
    """The clock that dates revisions; it may step."""
    return datetime.now(UTC)


class Rollout:
    """Activates revisions; `current` is the active one."""

    def __init__(
        self,
        options: Options,
        pace: Timeouts,
        places: CounterLayout,
        sockets: Sockets,
        closing: Closing,
        store: RevisionStore,
        clock: Clock,
    ) -> None:
        self.current: Revision | None = None
        self._clock = clock
        self._options = options
        self._pace = pace
        self._places = places
        self.counters = Counters(places)
        self._sockets = sockets
        self._closing = closing
        self._store = store
        self.drained = DrainedListeners()

    @property
    def names(self) -> list[str]:
        """The names of the active listeners."""
        return [listener.name for listener in self.current.config.listeners] if self.current else []

    async def apply(
        self,
        found: Candidate,
        comment: str,
        change_targets: Targets,
        proceed: Callable[[], None],
        *,
        kept: Revision | None = None,
    ) -> int:
        """Activate a configuration on the workers that `change_targets` gives; return how many serve it then.

        `kept`: the revision that it is, if the store has it already. `proceed` is called before the decision, and may
        raise. Raises Refused, ChangeFailed, StoreFailed, CountersExhausted, and what
        `change_targets` and `proceed` raise; then nothing has changed.
        """
        revision = kept or await self._next(found, comment)
        counters = self.counters.proposed(found.config)
        places = places_of(found.config, self._places, counters)
        keys = [place.socket for place in places]
        with blaming_listeners(found, keys), self._sockets.binding(keys) as bound:
            workers = await change_targets()
            change = self._two_phases(revision, places)
            await change.prepare(workers, lambda slot: {key: each.sockets[slot] for key, each in bound.items()})
            try:
                proceed()
                doors = self._doors(revision.config, keys)
                await self._announce(change, workers, doors)
                await self._decide(revision, bound, doors, keep=kept is None)
                self.counters.decide(counters)
            except BaseException:
                change.abort(workers)
                raise
        count = await change.commit(workers)
        await self._closing.begin()
        self.drained.keep(listener.name for listener in found.config.listeners)
        return count

    async def boot(self, process: WorkerProcess) -> None:
        """Let a new worker serve the active revision. Raises WorkerDied."""
        assert self.current is not None
        counters = self.counters.proposed(self.current.config)  # they are active: none is new
        change = self._two_phases(self.current, places_of(self.current.config, self._places, counters))
        try:
            await change.prepare([process], self._sockets.of)
        except (Refused, ChangeFailed) as refusal:
            process.kill(f"could not take over: {refusal}")
            await asyncio.shield(process.over)
            raise WorkerDied(process.exit_reason) from None
        if not await change.commit([process]):
            raise WorkerDied(process.exit_reason)
        await self._closing.begin()

    async def turn(self, workers: Sequence[WorkerProcess]) -> None:
        """Let workers and sockets follow the set of drained listeners.

        Raises ChangeFailed; then nothing has changed.
        """
        assert self.current is not None
        counters = self.counters.proposed(self.current.config)
        places = places_of(self.current.config, self._places, counters)
        change = self._two_phases(self.current, places)
        await change.prepare(workers, lambda _: {})
        doors = self._doors(self.current.config, [place.socket for place in places])
        try:
            await self._announce(change, workers, doors)
            async with self._sockets.turning({}, doors):
                pass
        except BaseException as error:
            change.abort(workers)
            if isinstance(error, CannotListen):
                raise ChangeFailed(f"{error}; nothing has changed") from None
            raise
        await change.commit(workers)
        await self._closing.begin()

    async def note_file(self, found: Candidate) -> None:
        """The active configuration was read from the file as well. Raises NotRecorded."""
        try:
            await self._store.note_file(fingerprint(found.config, found.files))
        except StoreFailed as error:
            raise NotRecorded(error) from None

    async def _announce(
        self, change: TwoPhaseChange, workers: Sequence[WorkerProcess], doors: Mapping[str, ListenState]
    ) -> None:
        """Tell workers where to stop accepting, and where SYN filters will be set. Raises ChangeFailed."""
        await change.pause(workers, self._sockets.to_be_stalled(doors))
        obstacles = await self._closing.expect_silence(workers, self._sockets.to_be_silent(doors))
        if obstacles:
            raise ChangeFailed(f"{'; '.join(obstacles)}; nothing has changed")

    async def _next(self, found: Candidate, comment: str) -> Revision:
        newest = self.current or await self._store.newest()
        number = newest.number + 1 if newest is not None else 1
        etag = self._store.etag(number)
        caller = audit.CALLER.get()
        identity = caller.identity if caller is not None else ""
        return Revision(number, etag, found.config, found.files, self._clock(), found.origin, comment, identity)

    async def _decide(
        self, revision: Revision, bound: Mapping[str, Bound], doors: Mapping[str, ListenState], *, keep: bool
    ) -> None:
        """Listen, and record the revision: it is active, or, if anything is raised, it is not.

        Listening comes first, because it can fail: another process may have taken the port since it was bound.
        """
        async with self._sockets.turning(bound, doors):
            try:
                if keep:
                    await self._store.append(revision, after=revision.number - 1)
            except (Conflict, StoreFailed) as error:
                raise NotRecorded(error) from None
        self.current = revision

    def _doors(self, config: v1.Config, keys: Sequence[str]) -> dict[str, ListenState]:
        """Return each address's listen state, by the listeners' keys in order; addresses without a listener close."""
        served = self.drained.applied(config).listeners
        doors = {key: door_of(accept_of(listener)) for key, listener in zip(keys, served, strict=True)}
        return dict.fromkeys(self._sockets.keys, ListenState.CLOSING) | doors

    def _two_phases(self, revision: Revision, places: Sequence[ListenerPlaces]) -> TwoPhaseChange:
        revision = replace(revision, config=self.drained.applied(revision.config))
        return TwoPhaseChange(revision, places, self._options.default_engine, self._pace.answer, self._sockets.fillers)


@contextmanager
def blaming_listeners(found: Candidate, keys: Sequence[str]) -> Iterator[None]:
    """Turn CannotListen into problems of the listeners, whose `keys` are given in their order."""
    try:
        yield
    except CannotListen as error:
        problems = [
            Problem(f"listeners[{index}].address", f"{found.config.listeners[index].address}: {error.reasons[key]}")
            for index, key in enumerate(keys)
            if key in error.reasons
        ]
        raise Refused(found.document.located(problems)) from None
