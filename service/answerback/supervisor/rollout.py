"""A revision on its way into force, and the one that is.

Sockets.binding       the addresses that are new are bound
TwoPhaseChange        every worker is prepared; whatever goes wrong until here changes nothing
listen, record        the decision: from here on there is no way back
TwoPhaseChange        every worker commits, or dies, and its successor starts with the new revision
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from answerback.config import Problem, Refused
from answerback.config.compile import accept_of
from answerback.internal.v1.link_pb2 import ListenerPlaces
from answerback.metrics.tally import Places
from answerback.supervisor import audit
from answerback.supervisor.change import TwoPhaseChange, places_of
from answerback.supervisor.configuration import Found
from answerback.supervisor.counters import Counters
from answerback.supervisor.doors import door_of
from answerback.supervisor.options import Options, Pace
from answerback.supervisor.outcomes import ChangeFailed, NotRecorded
from answerback.supervisor.process import Gone, WorkerProcess
from answerback.supervisor.revisions import Conflict, Revision, RevisionStore, StoreFailed, fingerprint
from answerback.supervisor.sockets import Bound, CannotListen, Sockets

# Rule: one at a time; whoever calls holds the lock.

Hands = Callable[[], Awaitable[list[WorkerProcess]]]
Clock = Callable[[], datetime]


def time_of_day() -> datetime:
    """The clock that dates revisions; it may step."""
    return datetime.now(UTC)


class Rollout:
    """Puts revisions in force; `current` is the one that is."""

    def __init__(
        self, options: Options, pace: Pace, places: Places, sockets: Sockets, store: RevisionStore, clock: Clock
    ) -> None:
        self.current: Revision | None = None
        self._clock = clock
        self._options = options
        self._pace = pace
        self._places = places
        self.counters = Counters(places)
        self._sockets = sockets
        self._store = store

    async def apply(
        self,
        found: Found,
        comment: str,
        hands: Hands,
        proceed: Callable[[], None],
        attended: Callable[[], Iterable[int]],
        *,
        kept: Revision | None = None,
    ) -> int:
        """Put a configuration in force on the workers that `hands` gives; how many serve it then.

        `kept`: the revision that it is, if the store has it already. `proceed` is called before the decision, and may
        raise; `attended` says at the end on which slots' sockets somebody accepts. Raises Refused, ChangeFailed,
        StoreFailed, PlacesExhausted, and what `hands` and `proceed` raise; then nothing has changed.
        """
        revision = kept or await self._next(found, comment)
        counters = self.counters.proposed(found.config)
        places = places_of(found.config, self._places, counters)
        keys = [place.socket for place in places]
        with blaming_listeners(found, keys), self._sockets.binding(keys) as bound:
            workers = await hands()
            change = self._two_phases(revision, places)
            await change.prepare(workers, lambda slot: {key: each.sockets[slot] for key, each in bound.items()})
            try:
                proceed()
                await self._decide(revision, bound, keys, keep=kept is None)
                self.counters.decide(counters)
            except BaseException:
                change.abort(workers)
                raise
        count = await change.commit(workers)
        self._sockets.close(set(self._sockets.keys) - set(keys))
        self._sockets.settle(attended())
        return count

    async def boot(self, process: WorkerProcess) -> None:
        """Have a successor serve what is in force. Raises Gone."""
        assert self.current is not None
        counters = self.counters.proposed(self.current.config)  # they are in force: none is new
        change = self._two_phases(self.current, places_of(self.current.config, self._places, counters))
        try:
            await change.prepare([process], self._sockets.of)
        except (Refused, ChangeFailed) as refusal:
            process.kill(f"could not take over: {refusal}")
            await asyncio.shield(process.over)
            raise Gone(process.obituary) from None
        if not await change.commit([process]):
            raise Gone(process.obituary)
        self._sockets.settle([process.slot])

    async def note_file(self, found: Found) -> None:
        """What is in force was found in the file as well. Raises NotRecorded."""
        try:
            await self._store.note_file(fingerprint(found.config, found.files))
        except StoreFailed as error:
            raise NotRecorded(error) from None

    async def _next(self, found: Found, comment: str) -> Revision:
        newest = self.current or await self._store.newest()
        number = newest.number + 1 if newest is not None else 1
        etag = self._store.etag(number)
        caller = audit.CALLER.get()
        identity = caller.identity if caller is not None else ""
        return Revision(number, etag, found.config, found.files, self._clock(), found.origin, comment, identity)

    async def _decide(self, revision: Revision, bound: Mapping[str, Bound], keys: Sequence[str], *, keep: bool) -> None:
        """Listen, and record the revision: it is in force, or, if anything is raised, it is not.

        Listening comes first, because it can fail: somebody may have taken the port since it was bound.
        """
        doors = {key: door_of(accept_of(one)) for key, one in zip(keys, revision.config.listeners, strict=True)}
        with self._sockets.turning(bound, doors):
            try:
                if keep:
                    await self._store.append(revision, after=revision.number - 1)
            except (Conflict, StoreFailed) as error:
                raise NotRecorded(error) from None
        self.current = revision

    def _two_phases(self, revision: Revision, places: Sequence[ListenerPlaces]) -> TwoPhaseChange:
        return TwoPhaseChange(revision, places, self._options.default_engine, self._pace.answer)


@contextmanager
def blaming_listeners(found: Found, keys: Sequence[str]) -> Iterator[None]:
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
