"""The supervisor: builds the parts below it, starts and stops them, and is what the admin API and the web see.

A change goes to `rollout.changes`, an operation on the running server to `operations`.
"""

import asyncio
import logging
import secrets
from datetime import UTC, datetime

from answerback.concurrency.serial import SerialRunner
from answerback.concurrency.tasks import Tasks
from answerback.language.addresses import socket_key
from answerback.language.contents import Contents
from answerback.language.enums import accept_of, engine_of
from answerback.language.problems import Problem
from answerback.metrics.series import Series
from answerback.metrics.snapshot import read_counts, read_open
from answerback.net import fd_reserve
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.supervisor.errors import ChangeFailed, NotRecorded, StartError, Stopping, StoreFailed
from answerback.supervisor.health import Health
from answerback.supervisor.journal.journal import Journal
from answerback.supervisor.operations.certificate_watcher import CertificateWatcher
from answerback.supervisor.operations.connections import Connections
from answerback.supervisor.operations.draining import DrainController
from answerback.supervisor.operations.operations import Operations
from answerback.supervisor.operations.rolling_restart import RollingRestart
from answerback.supervisor.operations.shutdown import shut_down
from answerback.supervisor.options import Options, Timeouts
from answerback.supervisor.readiness import Readiness
from answerback.supervisor.revisions.history import History
from answerback.supervisor.revisions.store import API, Revision, RevisionsInMemory, RevisionStore
from answerback.supervisor.rollout.candidate import CandidateLoader
from answerback.supervisor.rollout.changes import Change, ChangeRequest, Changes
from answerback.supervisor.rollout.config_file import ConfigFile
from answerback.supervisor.rollout.config_watcher import ConfigWatcher
from answerback.supervisor.rollout.fault_expiry import FaultExpiry
from answerback.supervisor.rollout.rollout import Clock, Rollout
from answerback.supervisor.rollout.sources import EarlierRevision, Edit, EditedConfig, GivenConfig
from answerback.supervisor.sockets.table import Sockets
from answerback.supervisor.status import ListenerStatus, Status
from answerback.supervisor.workers.pool import WorkerPool
from answerback.supervisor.workers.process import WorkerDied
from answerback.v1 import config_pb2 as v1

log = logging.getLogger(__name__)


class Supervisor:
    """Owns sockets, revisions and workers. Create and use it in the main thread, in a running event loop."""

    def __init__(
        self,
        options: Options,
        *,
        timeouts: Timeouts | None = None,
        store: RevisionStore | None = None,
        clock: Clock | None = None,
        contents: Contents | None = None,
    ) -> None:
        """`store` keeps the revisions; by default they end with this process. `clock` dates them.

        `contents`: where the contents of files are kept, if shared with others.

        Raises OSError if there is no memory for the shared counters.
        """
        timeouts, contents, clock = timeouts or Timeouts(), contents or Contents(), clock or Clock()
        self.options = options
        self.instance = secrets.token_hex(6)
        self.start_time = datetime.now(UTC)
        self.counters = SharedCounters.create(options.workers + 1)  # one region is spare: see WorkerPool.replace
        self.layout = CounterLayout()
        self.series = Series(self.layout, lambda cell: read_open(self.counters, cell))
        self.health = Health()
        self.journal = self._new_journal()
        self._store = store or RevisionsInMemory(self.instance, options.retention)
        self.history = History(self._store)
        self._readiness = Readiness(self.health)
        self._serial = SerialRunner()
        self._sockets = Sockets(options.workers)
        self._pool = WorkerPool(options, timeouts, self.counters, self.layout, self._sockets, self._readiness)
        self._rollout = Rollout(options, timeouts, self._pool, self._sockets, self._store, self._serial, clock)
        loader = CandidateLoader(options, contents, lambda: self._rollout.materials)
        self._changes = Changes(
            loader, self._rollout, self._pool, self._store, self._serial, self._readiness, self.series
        )
        self._expiry = FaultExpiry(self._changes, self._rollout.clock)
        self._certificates = CertificateWatcher(self._rollout, self._serial)
        self._watcher = self._new_watcher(contents)
        self._drains = DrainController(
            self._pool, self._rollout, self.counters, self._serial, self._readiness, options.drain_delay_seconds
        )
        restart = RollingRestart(self._pool, self._serial)
        self.operations = Operations(options, timeouts, self._pool, self._rollout, restart, self._drains, self._serial)
        self.connections = Connections(self.counters, timeouts, self._pool)
        self._abort = asyncio.Event()
        self._tasks = Tasks()
        self._stopping: asyncio.Task[None] | None = None

    def _new_journal(self) -> Journal:
        return Journal(
            self.counters,
            self.layout,
            self.instance,
            alive=lambda: (process.pid for process in self._pool.processes),
            config=lambda: self.current.config,
        )

    def _new_watcher(self, contents: Contents) -> ConfigWatcher | None:
        if not self.options.config_path:
            return None
        file = ConfigFile(self.options.config_path, contents, self.options.config_text)
        return ConfigWatcher(file, self._changes)

    @property
    def current(self) -> Revision:
        """The active revision."""
        return self._changes.current

    async def start(self) -> None:
        """Apply the initial configuration on new workers. Raises InvalidConfig or StartError; then nothing runs."""
        fd_reserve.reserve()
        try:
            await self._changes.begin(await self._watcher.initial() if self._watcher else None)
        except BaseException as error:
            await self._undo_start()
            if (explained := self._start_error(error)) is None:
                raise
            raise explained from None
        self._pool.monitor(self._rollout)
        self._expiry.begin()
        self._certificates.begin()
        if self._watcher:
            await self._watcher.note_start(self.history)
        if self._watcher and self.options.watch_config:
            self._watcher.watch()

    async def update(
        self,
        config: v1.Config,
        *,
        etag: str = "",
        comment: str = "",
        origin: str = API,
        validate_only: bool = False,
    ) -> Change:
        """Apply a configuration on every worker, or change nothing. Raises what `Changes.make` raises."""
        source = GivenConfig(config, origin)
        return await self._changes.make(
            ChangeRequest(source=source, etag=etag, comment=comment, validate_only=validate_only)
        )

    async def edit(
        self, edit: Edit, *, etag: str = "", comment: str = "", origin: str = API, validate_only: bool = False
    ) -> Change:
        """Apply an edit to the configuration that is active when the change begins.

        Raises what `Changes.make` and the edit raise.
        """
        source = EditedConfig(edit, origin)
        return await self._changes.make(
            ChangeRequest(source=source, etag=etag, comment=comment, validate_only=validate_only)
        )

    async def rollback(self, number: int, *, etag: str = "", comment: str = "", validate_only: bool = False) -> Change:
        """Apply the content of an earlier revision, as a new revision.

        Raises NotKept, StoreFailed, and what `Changes.make` raises.
        """
        source, comment = EarlierRevision(self.history, number), comment or f"to revision {number}"
        return await self._changes.make(
            ChangeRequest(source=source, etag=etag, comment=comment, validate_only=validate_only)
        )

    async def validate(self, config: v1.Config) -> list[Problem]:
        """Return all problems of a configuration that can be found without applying it."""
        return await self._changes.validate(GivenConfig(config))

    async def reload(self) -> None:
        """Apply the configuration file again. Problems are logged, and nothing changes."""
        if self._watcher is None:
            log.warning("no file to reload: `serve` was started without --config")
        else:
            await self._watcher.reload()

    async def stop(self, *, abort: bool = False) -> None:
        """Shut down within the grace period: report not ready; accept during the drain delay; finish; exit.

        `abort`, also during a stop: reset open connections now.
        """
        if abort:
            self._abort.set()
        if self._stopping is None:
            work = shut_down(self._pool, self._sockets, self._rollout.closer, self.options, self._abort)
            self._stopping = self._tasks.start(work)
            self._serial.close(Stopping)
            self._expiry.stop()
            self._certificates.stop()
            if self._watcher:
                self._watcher.stop()
            self._readiness.report_stop()
        await asyncio.shield(self._stopping)

    def address(self, listener: v1.Listener) -> str:
        """Return where a listener listens, HOST:PORT; empty if it does not."""
        return self._sockets.address(socket_key(listener))

    def status(self, *, listeners: bool = True) -> Status:
        """Return the status. Without the listeners its cost does not depend on their number."""
        current, stats = self._rollout.current, self._changes.stats
        configured = current.config.listeners if current and listeners else ()
        return Status(
            state=self._readiness.state,
            reason=self.health.reason,
            revision=current.number if current else 0,
            etag=current.etag if current else "",
            listeners=[self._listener_status(listener) for listener in configured],
            workers=[slot.status() for slot in self._pool.slots],
            last_applied=stats.last_applied,
            last_rejected=stats.last_rejected,
            applied=stats.applied,
            rejected=stats.rejected,
            file=self._watcher.status if self._watcher else None,
            signals=self.operations.signals.status(),
            certificates_loaded=self._certificates.loaded,
            certificates_rejected=self._certificates.rejected,
        )

    def _listener_status(self, listener: v1.Listener) -> ListenerStatus:
        return ListenerStatus(
            name=listener.name,
            address=self.address(listener),
            engine=engine_of(listener, self.options.default_engine),
            accept=accept_of(listener),
            counts=read_counts(self.counters, self.layout, listener.name),
            drain=self._drains.state(listener.name),
        )

    def _start_error(self, error: BaseException) -> StartError | None:
        """Return the error to raise for a failed start; None if it is clear as it is."""
        match error:
            case NotRecorded():
                return StartError(f"cannot start: {error.reason}")
            case StoreFailed():
                return StartError(f"cannot start: {error}")
            case ChangeFailed():
                return StartError(f"cannot start: {error.reason}; see the log lines of the workers")
            case WorkerDied():
                return StartError(f"cannot start: {error}; see the log lines of that worker")
            case OSError():
                return StartError(f"cannot start a worker ({self.options.worker_command[0]}): {error}")
        return None

    async def _undo_start(self) -> None:
        self._rollout.closer.stop()
        for process in self._pool.processes:
            await process.kill_and_wait("the server did not start")
        self._sockets.close_all()
