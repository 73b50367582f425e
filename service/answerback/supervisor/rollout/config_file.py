"""The file of `--config`: read at startup, on reload, and, if it is watched, when its content changes."""

# Rule: the file is read in a thread: a disk may be slow, and a configuration long.
# Rule: the content that was read is applied: nothing is read a second time.
# Rule: content is compared, never times or inodes: a ConfigMap is swapped by a symbolic link, an editor renames.

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from answerback.document.document import Document, load
from answerback.language.contents import Contents, Files, digest_of
from answerback.language.files import FilesBeside, read_files
from answerback.language.problems import Problem, Refused
from answerback.shared.counters import CountersExhausted
from answerback.supervisor.errors import Change, ChangeFailed, Stopping
from answerback.supervisor.status import FileStatus
from answerback.v1 import config_pb2 as v1

# A change is active within 2 s. A writer that pauses longer than LOOK_SECONDS * (EQUAL_LOOKS - 1) is read too early.
LOOK_SECONDS: Final = 0.3
EQUAL_LOOKS: Final = 3
RETRY_SECONDS: Final = 5.0  # seconds until a retry if a worker could not apply a valid configuration

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """The content of the file and of those that it names, at one moment."""

    document: Document
    files: Files
    problems: tuple[Problem, ...]
    """Problems with reading the named files."""
    digest: str
    """Equal exactly for equal content of all files."""


class ConfigFile:
    """Reads the file."""

    def __init__(self, path: Path, contents: Contents | None = None, text: bytes | None = None) -> None:
        """`contents`: where the contents of named files are kept. `text`: the content, unless `path` is read."""
        self.path = path
        self._text = text
        self._contents = contents or Contents()
        self._parsed: tuple[bytes, Document] = b"", load(b"")

    def look(self) -> Look:
        """Read the file and those that it names. A file that cannot be read is a problem."""
        try:
            text = self.path.read_bytes() if self._text is None else self._text
        except OSError as error:
            problem = Problem("", f"cannot read {self.path}: {error.strerror or error}")
            return Look(Document(v1.Config(), (problem,)), {}, (), _digest([str(problem).encode()]))
        former, document = self._parsed
        if text != former:
            document = load(text)
            self._parsed = text, document
        files, problems = read_files(document.config, FilesBeside(self.path, self._contents))
        parts = [text, *(part for name, data in files.items() for part in (name.encode(), digest_of(data)))]
        digest = _digest([*parts, *(str(problem).encode() for problem in problems)])
        return Look(document, files, tuple(problems), digest)


class Reloads:
    """Reloads the file. `apply` applies what was read, as `Supervisor.update` does."""

    def __init__(self, file: ConfigFile, apply: Callable[[Look], Awaitable[Change]]) -> None:
        self._file = file
        self._apply = apply
        self._settled = ""
        """The digest of the content that was applied, or rejected."""
        self._failed = ""
        """The digest of valid content that could not be applied,"""
        self._retry_at = 0.0
        self._problems: tuple[Problem, ...] = ()
        self._watching: asyncio.Task[None] | None = None

    async def first(self) -> Look:
        """Return the content to start with."""
        look = await asyncio.to_thread(self._file.look)
        self._settled = look.digest
        return look

    @property
    def status(self) -> FileStatus:
        """Return the status of the file."""
        return FileStatus(str(self._file.path), watched=self._watching is not None, problems=self._problems)

    async def again(self) -> None:
        """Apply the file, changed or not. Problems are logged, and nothing changes."""
        await self._put(await asyncio.to_thread(self._file.look), told=True)

    def watch(self) -> None:
        """From now on, apply the file whenever its content, or that of a file it names, has changed and is stable."""
        self._watching = asyncio.get_running_loop().create_task(self._watch())
        self._watching.add_done_callback(_report)

    def stop(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        seen, times = self._settled, 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            look = await asyncio.to_thread(self._file.look)
            times = times + 1 if look.digest == seen else 1
            seen = look.digest
            if times < EQUAL_LOOKS or seen == self._settled:
                continue
            if seen != self._failed or monotonic() >= self._retry_at:
                await self._put(look, told=False)

    async def _put(self, look: Look, *, told: bool) -> None:
        path = self._file.path
        try:
            change = await self._apply(look)
        except Stopping:
            log.info("%s was not applied: the server is shutting down", path)
        except ChangeFailed as error:
            if told or look.digest != self._failed:
                log.error("%s was not applied: %s", path, error)  # noqa: TRY400 - the text says it all
            self._failed, self._retry_at = look.digest, monotonic() + RETRY_SECONDS
            self._problems = (Problem("", str(error)),)
        except (Refused, CountersExhausted) as error:
            log.error("%s was not applied: %s", path, error)  # noqa: TRY400 - as above
            self._settled, self._failed = look.digest, ""
            self._problems = error.problems if isinstance(error, Refused) else (Problem("", str(error)),)
        else:
            self._settled, self._failed, self._problems = look.digest, "", ()
            if not change.changed:
                log.info("%s is unchanged", path)


def _digest(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("stopped watching the configuration file", exc_info=error)
