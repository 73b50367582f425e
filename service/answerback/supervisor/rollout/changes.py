"""Changes of the active configuration, one at a time: requested, checked, applied on all workers, counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from answerback.concurrency.notifier import Notifier
from answerback.concurrency.serial import SerialRunner
from answerback.language.fault_editing import expired_faults
from answerback.language.problems import InvalidConfig, Problem
from answerback.metrics.series import Series
from answerback.supervisor.errors import EtagMismatch
from answerback.supervisor.readiness import Readiness
from answerback.supervisor.revisions.store import FILE, Revision, RevisionStore
from answerback.supervisor.rollout.candidate import Candidate, CandidateLoader
from answerback.supervisor.rollout.change_stats import ChangeStats
from answerback.supervisor.rollout.config_file import ConfigSnapshot
from answerback.supervisor.rollout.initial import cannot_restore, choose
from answerback.supervisor.rollout.rollout import Rollout
from answerback.supervisor.rollout.sources import ConfigSource, WithoutExpired
from answerback.supervisor.rollout.two_phase import names_of
from answerback.supervisor.workers.pool import WorkerPool

# Rule: nothing of a rejected configuration takes effect, anywhere.

MAX_NAMED: Final = 3  # expired faults that a comment names


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration was accepted."""

    revision: Revision
    """The active revision; for a validation, the given configuration under the active number."""
    changed: bool
    """False if it was active already, or only validated."""
    workers: int
    """How many workers serve it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """A requested change."""

    source: ConfigSource
    etag: str = ""
    """The etag of the revision that it is meant to replace; empty: of any."""
    comment: str = ""
    validate_only: bool = False


def comment_of(expired: Sequence[tuple[str, str]]) -> str:
    """Return the comment of a revision without these faults, each given as its listener and name."""
    shown = ", ".join(f"{fault} of {listener}" for listener, fault in expired[:MAX_NAMED])
    more = f" and {len(expired) - MAX_NAMED} more" if len(expired) > MAX_NAMED else ""
    return f"expired: {shown}{more}"


class Changes:
    """Applies requested changes."""

    def __init__(
        self,
        loader: CandidateLoader,
        rollout: Rollout,
        pool: WorkerPool,
        store: RevisionStore,
        serial: SerialRunner,
        readiness: Readiness,
        series: Series,
    ) -> None:
        self.stats = ChangeStats()
        self.activated = Notifier()
        """Notified when a revision has become active."""
        self._loader = loader
        self._rollout = rollout
        self._pool = pool
        self._store = store
        self._serial = serial
        self._readiness = readiness
        self._series = series

    @property
    def current(self) -> Revision:
        """The active revision."""
        assert self._rollout.current is not None, "start it first"
        return self._rollout.current

    async def begin(self, file: ConfigSnapshot | None) -> None:
        """Apply the initial configuration. If a restored one cannot be served, the file is not to blame.

        Raises InvalidConfig, StartError, ChangeFailed, WorkerDied, OSError.
        """
        candidate, stored = await choose(self._loader, self._store, file)
        comment, now = "", self._rollout.clock.now_ns()
        if stored is not None and (expired := expired_faults(stored.config, now)):
            candidate = await WithoutExpired(now).load(self._loader, stored)
            comment, stored = comment_of(expired), None
        try:
            await self._activate(candidate, comment, stored=stored)
        except InvalidConfig as error:
            if stored is None:
                raise
            raise cannot_restore(stored, error) from None

    async def make(self, request: ChangeRequest) -> Change:
        """Apply a configuration on every worker, or change nothing.

        Raises InvalidConfig, EtagMismatch, ChangeFailed, Stopping, CountersExhausted, and what the source raises.
        """
        return await self._serial.run(self._make(request))

    async def remove_expired(self) -> None:
        """Remove the faults whose time has passed, if there are any. Raises what `make` raises."""
        await self._serial.run(self._remove_expired(self._rollout.clock.now_ns()))

    async def validate(self, source: ConfigSource) -> list[Problem]:
        """Return all problems of a configuration that can be found without applying it."""
        try:
            await source.load(self._loader, self.current)
        except InvalidConfig as error:
            return list(error.problems)
        return []

    async def _remove_expired(self, now: int) -> None:
        if expired := expired_faults(self.current.config, now):
            await self._make(ChangeRequest(source=WithoutExpired(now), comment=comment_of(expired)))

    async def _make(self, request: ChangeRequest) -> Change:
        if request.validate_only:
            return self._preview(await self._candidate(request))
        with self.stats.recording_rejection(request.source.origin, request.comment):
            return await self._apply(await self._candidate(request), request.comment)

    async def _candidate(self, request: ChangeRequest) -> Candidate:
        if request.etag and request.etag != self.current.etag:
            raise EtagMismatch(self.current.etag)
        return await request.source.load(self._loader, self.current)

    def _preview(self, candidate: Candidate) -> Change:
        """Return the result that `_apply` would give, as far as it is known before. Raises InvalidConfig."""
        self._rollout.try_binding(candidate)
        current = self.current
        revision = Revision(current.number, current.etag, candidate.config, candidate.files, origin=candidate.origin)
        return Change(revision, changed=False, workers=self._serving)

    async def _apply(self, candidate: Candidate, comment: str) -> Change:
        current = self.current
        if candidate.config == current.config and candidate.files == current.files:
            if candidate.origin == FILE:
                await self._rollout.note_file(candidate)
            self.stats.confirmed(candidate.origin, comment)
            return Change(current, changed=False, workers=self._serving)
        count = await self._activate(candidate, comment)
        return Change(self.current, changed=True, workers=count)

    async def _activate(self, candidate: Candidate, comment: str, *, stored: Revision | None = None) -> int:
        count = await self._rollout.apply(candidate, comment, stored=stored)
        self.stats.applied_revision(self.current, count)
        self.activated.notify()
        self._series.configured(names_of(self.current.config))
        self._pool.refresh_adopters()
        self._readiness.report_listeners(self._rollout.names, self._rollout.drained)
        return count

    @property
    def _serving(self) -> int:
        """Return how many workers serve the active revision."""
        return sum(worker.revision == self.current.number for worker in self._pool.workers)
