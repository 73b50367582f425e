"""The supervisor: the active configuration, and everything that changes it.

A change goes through `Supervisor.update`, one at a time: etag, files and checks (`rollout.candidate`), then
`rollout`.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from answerback.language.addresses import socket_key
from answerback.language.contents import Contents
from answerback.language.enums import accept_of, engine_of
from answerback.language.problems import Problem, Refused
from answerback.metrics.series import Series
from answerback.metrics.snapshot import read_counts, read_open
from answerback.net import fd_reserve
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.supervisor.aio.serial import SerialRunner
from answerback.supervisor.errors import Change, ChangeFailed, EtagMismatch, NotRecorded, StartError, Stopping
from answerback.supervisor.health import Health
from answerback.supervisor.operations.draining import DrainController
from answerback.supervisor.operations.operations import Operations
from answerback.supervisor.operations.rolling_restart import RollingRestart
from answerback.supervisor.operations.shutdown import shut_down
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.readiness import Condition
from answerback.supervisor.revisions.history import History
from answerback.supervisor.revisions.store import (
    API,
    FILE,
    ROLLBACK,
    Revision,
    RevisionsInMemory,
    RevisionStore,
    StoreFailed,
)
from answerback.supervisor.rollout.candidate import Candidate, Configurations
from answerback.supervisor.rollout.change_stats import ChangeStats
from answerback.supervisor.rollout.config_file import ConfigFile, Look, Reloads
from answerback.supervisor.rollout.initial import cannot_restore, first
from answerback.supervisor.rollout.rollout import Clock, Rollout, Targets, time_of_day
from answerback.supervisor.rollout.two_phase import names_of
from answerback.supervisor.sockets.closing import Closing
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.status import ListenerStatus, Status
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied, WorkerProcess
from answerback.v1 import config_pb2 as v1

# Rule: nothing of a rejected configuration takes effect, anywhere.

log = logging.getLogger(__name__)


class Supervisor:
    """Owns sockets, revisions and workers. Create and use it in the main thread, in a running event loop."""

    def __init__(
        self,
        options: Options,
        *,
        pace: Timeouts | None = None,
        store: RevisionStore | None = None,
        clock: Clock = time_of_day,
        contents: Contents | None = None,
    ) -> None:
        """`store` keeps the revisions; by default they end with this process. `clock` dates them.

        `contents`: where the contents of files are kept, if shared with others.

        Raises OSError if there is no memory for the shared counters.
        """
        self.options = options
        self.instance = secrets.token_hex(6)
        self.start_time = datetime.now(UTC)
        self.tally = SharedCounters.create(options.workers + 1)  # one region is spare: see WorkerPool.succeed
        self.places = CounterLayout()
        self.series = Series(self.places, lambda place: read_open(self.tally, place))
        self.health = Health()
        self._pace = pace or Timeouts()
        contents = contents or Contents()
        self._configurations = Configurations(options, contents)
        self._reloads = (
            Reloads(ConfigFile(options.config_path, contents, options.config_text), self._reapply)
            if options.config_path
            else None
        )
        self._sockets = Sockets(options.workers)
        self._crew = WorkerPool(
            options, self._pace, self.tally, self.places, self._sockets, boot=self._boot, changed=self._changed
        )
        self._store = store or RevisionsInMemory(self.instance, options.retention)
        self.history = History(self._store)
        self._record = ChangeStats()
        self._turns = SerialRunner(self._not_stopping)
        self._closing = Closing(
            self._sockets,
            lambda: self._crew.change_targets,
            lambda: self._crew.served_slots,
            self._turns.between,
            self._pace.answer,
        )
        self._rollout = Rollout(options, self._pace, self.places, self._sockets, self._closing, self._store, clock)
        self._condition = Condition(self.health, self._crew, self._rollout, self._pace)
        self._draining = self._may_drain()
        self.operations = self._operations()
        self._abort = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None

    def _may_drain(self) -> DrainController:
        return DrainController(
            self._crew,
            self._rollout,
            lambda name: read_counts(self.tally, self.places, name),
            self.options.drain_delay,
            self._turns.take,
            self._not_stopping,
            self._changed,
        )

    def _operations(self) -> Operations:
        restarting = RollingRestart(self.tally, self.places, self._crew, self._not_stopping)
        return Operations(
            self.options, self._pace, self._crew, self._rollout, restarting, self._draining, self._turns.take
        )

    @property
    def current(self) -> Revision:
        """The active revision."""
        current = self._rollout.current
        assert current is not None, "start it first"
        return current

    async def start(self) -> None:
        """Apply the initial configuration on new workers. Raises Refused or StartError; then nothing runs."""
        fd_reserve.reserve()
        try:
            await self._begin()
        except (NotRecorded, StoreFailed) as error:
            await self._give_up()
            raise StartError(str(error)) from None
        except (WorkerDied, ChangeFailed) as error:
            await self._give_up()
            raise StartError(f"{error} before it served; its own messages say more") from None
        except OSError as error:
            await self._give_up()
            raise StartError(f"cannot start a worker ({self.options.worker_command[0]}): {error}") from None
        except BaseException:
            await self._give_up()
            raise
        self._crew.keep()
        if self._reloads and self.options.watch_config:
            self._reloads.watch()

    async def update(
        self,
        config: v1.Config,
        *,
        etag: str = "",
        comment: str = "",
        origin: str = API,
        validate_only: bool = False,
    ) -> Change:
        """Apply a configuration on every worker, or change nothing.

        Raises Refused, EtagMismatch, ChangeFailed, Stopping, CountersExhausted.
        """
        return await self.edit(lambda _: config, etag=etag, comment=comment, origin=origin, validate_only=validate_only)

    async def edit(
        self,
        edit: Callable[[v1.Config], v1.Config],
        *,
        etag: str = "",
        comment: str = "",
        origin: str = API,
        validate_only: bool = False,
    ) -> Change:
        """Apply the result of `edit` on the configuration that is active when the change's turn comes.

        Raises what `update` and `edit` raise.
        """

        async def find() -> Candidate:
            return await self._configurations.given(edit(self.current.config), self.current, origin)

        return await self._asked(find, etag, comment, origin, validate_only=validate_only)

    async def rollback(self, number: int, *, etag: str = "", comment: str = "", validate_only: bool = False) -> Change:
        """Apply the content of an earlier revision, as a new revision.

        Raises NotKept, StoreFailed, and what `update` raises.
        """

        async def find() -> Candidate:
            return await self._configurations.kept(await self.history.get(number), ROLLBACK)

        comment = comment or f"to revision {number}"
        return await self._asked(find, etag, comment, ROLLBACK, validate_only=validate_only)

    async def validate(self, config: v1.Config) -> list[Problem]:
        """Return all problems of a configuration that can be found without applying it."""
        try:
            await self._configurations.given(config, self.current, API)
        except Refused as refused:
            return list(refused.problems)
        return []

    async def reload(self) -> None:
        """Apply the configuration file again. Problems are logged, and nothing changes."""
        if self._reloads is None:
            log.warning("no file to reload: `serve` was started without --config")
        else:
            await self._reloads.again()

    async def stop(self, *, abort: bool = False) -> None:
        """Shut down within the grace period: report not ready; accept during the drain delay; finish; exit.

        `abort`, also during a stop: reset open connections now.
        """
        if abort:
            self._abort.set()
        if self._stopping is None:
            work = shut_down(self._crew, self._sockets, self._closing, self.options, self._abort)
            self._stopping = asyncio.get_running_loop().create_task(work)
            self._condition.stopping = True
            if self._reloads:
                self._reloads.stop()
            self._changed()
        await asyncio.shield(self._stopping)

    def status(self, *, listeners: bool = True) -> Status:
        """Return the status. Without the listeners its cost does not depend on their number."""
        current = self._rollout.current
        configured = current.config.listeners if current and listeners else ()
        return Status(
            state=self._condition.state,
            reason=self.health.reason,
            revision=current.number if current else 0,
            etag=current.etag if current else "",
            listeners=[self._listener_status(listener) for listener in configured],
            workers=[slot.status() for slot in self._crew.slots],
            last_applied=self._record.last_applied,
            last_refused=self._record.last_refused,
            applied=self._record.applied,
            refused=self._record.refused,
            file=self._reloads.status if self._reloads else None,
        )

    def _listener_status(self, listener: v1.Listener) -> ListenerStatus:
        return ListenerStatus(
            name=listener.name,
            address=self._sockets.address(socket_key(listener)),
            engine=engine_of(listener, self.options.default_engine),
            accept=accept_of(listener),
            counts=read_counts(self.tally, self.places, listener.name),
            drain=self._draining.state(listener.name),
        )

    def _changed(self) -> None:
        self._condition.look_again()

    async def _begin(self) -> None:
        """Apply the initial configuration. If a restored one cannot be served, the file is not to blame."""
        look = await self._reloads.first() if self._reloads else None
        found, kept = await first(self._configurations, self._store, look)
        try:
            await self._apply(found, "", self._crew.start, kept=kept)
        except Refused as refused:
            if kept is None:
                raise
            raise cannot_restore(kept, refused) from None

    async def _reapply(self, look: Look) -> Change:
        """Apply the content of the file."""
        return await self._asked(lambda: self._configurations.seen(look), "", "", FILE, validate_only=False)

    async def _asked(
        self, find: Callable[[], Awaitable[Candidate]], etag: str, comment: str, origin: str, *, validate_only: bool
    ) -> Change:
        """Find a configuration and apply it, or only check whether it could be applied."""

        async def work() -> Change:
            if validate_only:
                self._must_be(etag)
                return await self._try(await find())
            with self._record.refusals(origin, comment):
                self._must_be(etag)
                return await self._change(await find(), comment)

        return await self._turns.take(work)

    def _must_be(self, etag: str) -> None:
        if etag and etag != self.current.etag:
            raise EtagMismatch(self.current.etag)

    async def _try(self, found: Candidate) -> Change:
        """Return the result that `_change` would give, as far as it is known before."""
        current = self.current
        asked = Revision(current.number, current.etag, found.config, found.files, origin=found.origin)
        return Change(asked, changed=False, workers=self._serving)

    async def _change(self, found: Candidate, comment: str) -> Change:
        current = self.current
        if found.config == current.config and found.files == current.files:
            if found.origin == FILE:
                await self._rollout.note_file(found)
            self._record.confirmed(found.origin, comment)
            return Change(current, changed=False, workers=self._serving)

        async def workers() -> list[WorkerProcess]:
            return self._crew.change_targets

        count = await self._apply(found, comment, workers)
        return Change(self.current, changed=True, workers=count)

    @property
    def _serving(self) -> int:
        """Return how many workers serve the active revision."""
        return sum(worker.revision == self.current.number for worker in self._crew.workers)

    async def _apply(
        self, found: Candidate, comment: str, change_targets: Targets, *, kept: Revision | None = None
    ) -> int:
        count = await self._rollout.apply(found, comment, change_targets, self._not_stopping, kept=kept)
        self._record.took(self.current, count)
        self.series.configured(names_of(self.current.config))
        self._crew.refresh_adopters()
        self._changed()
        return count

    def _not_stopping(self) -> None:
        if self._stopping is not None:
            raise Stopping

    async def _boot(self, process: WorkerProcess) -> None:
        """Let a new worker serve the active revision. Raises WorkerDied."""
        await self._turns.between(lambda: self._rollout.boot(process))

    async def _give_up(self) -> None:
        """Undo a failed start."""
        self._closing.stop()
        for process in self._crew.processes:
            process.kill("the server did not start")
            await asyncio.shield(process.over)
        self._sockets.close_all()
