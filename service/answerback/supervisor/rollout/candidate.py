"""A configuration before it is applied: found, read, checked."""

import asyncio
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from answerback.document.document import Document
from answerback.language.builtin import BUILT_IN
from answerback.language.check import check
from answerback.language.contents import Content, Contents, Files
from answerback.language.files import FilesBeneath, read_files
from answerback.language.pacing import Pacer
from answerback.language.problems import Enough, InvalidConfig, Problem, Problems, quoted
from answerback.language.redaction import restore
from answerback.language.tls_files import (
    Materials,
    Refuse,
    read_materials,
    refuse_nothing,
    refuse_outside,
    with_absolute_paths,
)
from answerback.language.toxiproxy import keeping_proxies
from answerback.supervisor.options import Options
from answerback.supervisor.revisions import store
from answerback.supervisor.revisions.store import FILE, Revision
from answerback.supervisor.rollout.config_file import ConfigSnapshot
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
    materials: Materials = field(default_factory=dict, repr=False)
    """What the files hold that `tls` names."""

    @property
    def config(self) -> v1.Config:
        """The configuration itself."""
        return self.document.config


class CandidateLoader:
    """Checks whether configurations can be applied."""

    def __init__(
        self,
        options: Options,
        contents: Contents | None = None,
        materials: Callable[[], Materials] = dict,
    ) -> None:
        """`contents`: where the contents of files are kept. `materials` returns those of the active `tls`."""
        self._options = options
        self._active_materials = materials
        self._contents = contents or Contents()

    async def built_in(self) -> Candidate:
        """The built-in configuration. Raises InvalidConfig: it may overlap our own ports."""
        return await self._checked(ConfigSnapshot(Document(BUILT_IN), {}, (), ""), store.BUILT_IN)

    async def from_file(self, snapshot: ConfigSnapshot, former: Revision | None = None) -> Candidate:
        """The content of the file of `--config`, and what Toxiproxy's API made of the former revision.

        Raises InvalidConfig, with lines and columns.
        """
        if former is not None:
            document = replace(snapshot.document, config=keeping_proxies(snapshot.document.config, former.config))
            snapshot = replace(snapshot, document=document)
        return await self._checked(snapshot, FILE)

    async def from_api(self, config: v1.Config, active: Revision, origin: str) -> Candidate:
        """A configuration from the API. Raises InvalidConfig.

        Files that are named in the active revision and that the API may not read (because the file of `--config` may
        name any file) are taken from the active revision, so that a client can send back the configuration it was
        shown: see `outside_files`. So are keys, which it was not shown: see `redaction`.
        """
        own = v1.Config()
        own.CopyFrom(config)
        restore(own, active.config)
        own = with_absolute_paths(own, self._options.files)
        snapshot = await asyncio.to_thread(self._read, Document(own), active)
        return await self._checked(snapshot, origin, partial(self._refuse_outside, active))

    async def from_revision(self, revision: Revision, origin: str) -> Candidate:
        """The content of a revision, with its files as they were then. Raises InvalidConfig if it is not valid now."""
        return await self._checked(ConfigSnapshot(Document(revision.config), revision.files, (), ""), origin)

    async def _checked(self, snapshot: ConfigSnapshot, origin: str, refuse: Refuse = refuse_nothing) -> Candidate:
        """Return the candidate. `refuse` raises Refusal for a name in a listener's `tls`. Raises InvalidConfig."""
        materials, unread = await asyncio.to_thread(
            read_materials, snapshot.document.config, self._active_materials(), refuse
        )
        problems = await asyncio.to_thread(self._examine, snapshot, unread)
        if problems:
            raise InvalidConfig(problems)
        return Candidate(snapshot.document, snapshot.files, origin, materials)

    def _refuse_outside(self, active: Revision, listener: v1.Listener, name: str) -> None:
        """Refuse a name, unless the listener has the same `tls` in the active configuration. Raises Refusal."""
        same = (
            each.tls == listener.tls and each.upstream.tls == listener.upstream.tls
            for each in active.config.listeners
            if (each.name, each.address) == (listener.name, listener.address)
        )
        if not any(same):
            refuse_outside(self._options.files, name)

    def _read(self, document: Document, active: Revision) -> ConfigSnapshot:
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
        return ConfigSnapshot(document, files, (*problems, *wrong.found()), "")

    def _examine(self, snapshot: ConfigSnapshot, unread: Sequence[Problem]) -> list[Problem]:
        _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        wrong = check(
            snapshot.document.config,
            snapshot.files,
            reserved=self._options.reserved,
            descriptor_limit=limit,
            pause=Pacer(),
        )
        return [*snapshot.document.problems, *snapshot.document.located([*snapshot.problems, *unread, *wrong])]
