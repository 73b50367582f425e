"""A configuration before it is applied: found, read, checked."""

import asyncio
import resource
from contextlib import suppress
from dataclasses import dataclass

from answerback.document.document import Document
from answerback.language.builtin import BUILT_IN
from answerback.language.check import check
from answerback.language.contents import Content, Contents, Files
from answerback.language.files import FilesBeneath, read_files
from answerback.language.pacing import Pacer
from answerback.language.problems import Enough, Problem, Problems, Refused, quoted
from answerback.supervisor.options import Options
from answerback.supervisor.revisions import store
from answerback.supervisor.revisions.store import FILE, Revision
from answerback.supervisor.rollout.config_file import Look
from answerback.supervisor.rollout.outside_files import WHY, misplaced
from answerback.v1 import config_pb2 as v1

# Rule: work that is slow for large configurations (parsing, reading files, checking) runs in a thread.


@dataclass(frozen=True, slots=True)
class Candidate:
    """A configuration without problems, as far as can be checked before it is applied."""

    document: Document
    files: Files
    """The contents of its `file` fields."""
    origin: str

    @property
    def config(self) -> v1.Config:
        """The configuration itself."""
        return self.document.config


class Configurations:
    """Checks whether configurations can be applied."""

    def __init__(self, options: Options, contents: Contents | None = None) -> None:
        """`contents`: where the contents of files are kept."""
        self._options = options
        self._contents = contents or Contents()

    async def built_in(self) -> Candidate:
        """The built-in configuration. Raises Refused: it may overlap our own ports."""
        return await self._checked(Look(Document(BUILT_IN), {}, (), ""), store.BUILT_IN)

    async def seen(self, look: Look) -> Candidate:
        """The content of the file of `--config`. Raises Refused, with lines and columns."""
        return await self._checked(look, FILE)

    async def given(self, config: v1.Config, active: Revision, origin: str) -> Candidate:
        """A configuration from the API. Raises Refused.

        Files that are named in the active revision and that the API may not read (because the file of `--config` may
        name any file) are taken from the active revision, so that a client can send back the configuration it was
        shown: see `outside_files`.
        """
        own = v1.Config()
        own.CopyFrom(config)
        return await self._checked(await asyncio.to_thread(self._read, Document(own), active), origin)

    async def kept(self, revision: Revision, origin: str) -> Candidate:
        """The content of a revision, with its files as they were then. Raises Refused if it is not valid today."""
        return await self._checked(Look(Document(revision.config), revision.files, (), ""), origin)

    async def _checked(self, look: Look, origin: str) -> Candidate:
        problems = await asyncio.to_thread(self._examine, look)
        if problems:
            raise Refused(problems)
        return Candidate(look.document, look.files, origin)

    def _read(self, document: Document, active: Revision) -> Look:
        read = FilesBeneath(self._options.files, self._contents)
        outside: set[str] = set()

        def read_or_keep(name: str) -> Content:
            try:
                return read(name)
            except OSError:
                if name not in active.files:
                    raise
                outside.add(name)
                return active.files[name]

        files, problems = read_files(document.config, read_or_keep)
        wrong = Problems()
        with suppress(Enough):
            for path, name in misplaced(document.config, active.config, outside) if outside else ():
                wrong.add(path, f"cannot use {quoted(name)}: {WHY}")
        return Look(document, files, (*problems, *wrong.found()), "")

    def _examine(self, look: Look) -> list[Problem]:
        _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        wrong = check(
            look.document.config,
            look.files,
            reserved=self._options.reserved,
            descriptor_limit=limit,
            pause=Pacer(),
        )
        return [*look.document.problems, *look.document.located([*look.problems, *wrong])]
