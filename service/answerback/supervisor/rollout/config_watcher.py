"""Applies the file of `--config` again: on request, and, if it is watched, when its content changes."""

# Rule: the file is read in a thread: a disk may be slow, and a configuration long.

import asyncio
import logging
from contextlib import suppress
from time import monotonic
from typing import Final

from answerback.concurrency.tasks import Tasks
from answerback.language.problems import InvalidConfig, Problem
from answerback.shared.counters import CountersExhausted
from answerback.supervisor.errors import ChangeFailed, Stopping, StoreFailed
from answerback.supervisor.revisions.history import History
from answerback.supervisor.revisions.store import FILE, fingerprint
from answerback.supervisor.rollout.changes import ChangeRequest, Changes
from answerback.supervisor.rollout.config_file import ConfigFile, ConfigSnapshot
from answerback.supervisor.rollout.sources import FileContent
from answerback.supervisor.status import FileStatus

# A change is active within 2 s. A writer that pauses longer than POLL_SECONDS * (EQUAL_READS - 1) is read too early.
POLL_SECONDS: Final = 0.3
EQUAL_READS: Final = 3
MAX_PAGES: Final = 10  # of the history that are searched for the last revision from the file
PAGE: Final = 1000  # revisions
RETRY_SECONDS: Final = 5.0  # seconds until a retry if a worker could not apply a valid configuration

log = logging.getLogger(__name__)


class ConfigWatcher:
    """Applies the file: on request, and, once `watch` was called, when its content changes."""

    def __init__(self, file: ConfigFile, changes: Changes) -> None:
        self._file = file
        self._changes = changes
        self._handled = ""
        """The digest of the content that was applied, or rejected."""
        self._failed = ""
        """The digest of valid content that could not be applied."""
        self._retry_at = 0.0
        self._problems: tuple[Problem, ...] = ()
        self._applied = b""
        """The fingerprint of the content that was applied last."""
        self._applied_in = -1
        """The revision that was active with it; -1 before the server has started."""
        self._compared = 0
        """The revision that `_differs` is about."""
        self._differs = False
        self._watching: asyncio.Task[None] | None = None
        self._tasks = Tasks()

    async def initial(self) -> ConfigSnapshot:
        """Return the content to start with."""
        snapshot = await asyncio.to_thread(self._file.read)
        self._handled = snapshot.digest
        self._applied = fingerprint(snapshot.document.config, snapshot.files)
        return snapshot

    @property
    def status(self) -> FileStatus:
        """Return the status of the file."""
        return FileStatus(
            str(self._file.path),
            watched=self._watching is not None,
            problems=self._problems,
            differs_since=self._differs_since(),
        )

    async def note_start(self, history: History) -> None:
        """The server has started, with the file's configuration or with a stored one that has replaced it."""
        if self._changes.current.origin == FILE:
            self._applied_in = self._changes.current.number
            return
        with suppress(StoreFailed):
            self._applied_in = await _last_from_file(history)

    def _differs_since(self) -> int:
        if self._applied_in < 0:
            return 0
        current = self._changes.current
        if current.number != self._compared:
            content = fingerprint(current.config, current.files)
            self._compared, self._differs = current.number, content != self._applied
        return self._applied_in + 1 if self._differs else 0

    async def reload(self) -> None:
        """Apply the file, changed or not. Problems are logged, and nothing changes."""
        await self._apply(await asyncio.to_thread(self._file.read), requested=True)

    def watch(self) -> None:
        """From now on, apply the file whenever its content, or that of a file it names, has changed and is stable."""
        self._watching = self._tasks.start(self._watch(), failure="stopped watching the configuration file")

    def stop(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        seen, times = self._handled, 0
        while True:
            await asyncio.sleep(POLL_SECONDS)
            snapshot = await asyncio.to_thread(self._file.read)
            times = times + 1 if snapshot.digest == seen else 1
            seen = snapshot.digest
            if times < EQUAL_READS or seen == self._handled:
                continue
            if seen != self._failed or monotonic() >= self._retry_at:
                await self._apply(snapshot, requested=False)

    async def _apply(self, snapshot: ConfigSnapshot, *, requested: bool) -> None:
        path = self._file.path
        try:
            change = await self._changes.make(ChangeRequest(source=FileContent(snapshot)))
        except Stopping:
            log.info("%s was not applied: the server is shutting down", path)
        except ChangeFailed as error:
            if requested or snapshot.digest != self._failed:
                log.error("%s was not applied: %s", path, error)  # noqa: TRY400 - the text says it all
            self._failed, self._retry_at = snapshot.digest, monotonic() + RETRY_SECONDS
            self._problems = (Problem("", str(error)),)
        except (InvalidConfig, CountersExhausted) as error:
            log.error("%s was not applied: %s", path, error)  # noqa: TRY400 - as above
            self._handled, self._failed = snapshot.digest, ""
            self._problems = error.problems if isinstance(error, InvalidConfig) else (Problem("", str(error)),)
        else:
            self._handled, self._failed, self._problems = snapshot.digest, "", ()
            self._applied = fingerprint(change.revision.config, change.revision.files)
            self._applied_in, self._compared = change.revision.number, 0
            if not change.changed:
                log.info("%s is unchanged", path)


async def _last_from_file(history: History) -> int:
    """Return the newest stored revision from the file; without one, the number before the oldest that was looked at."""
    token, oldest = "", 1
    for _ in range(MAX_PAGES):
        page = await history.page(token, PAGE, whole=False)
        for entry in page.revisions:
            oldest = entry.number
            if entry.origin == FILE:
                return oldest
        if not (token := page.next_token):
            break
    return oldest - 1
