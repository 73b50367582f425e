"""A configuration before it is put in force: found, read, checked."""

import asyncio
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from answerback.config import BUILT_IN, FilesBeneath, FilesBeside, Problem, Refused, check, load, read_files
from answerback.config.document import Document
from answerback.supervisor.options import Options
from answerback.v1 import config_pb2 as v1

# Rule: what takes time for large configurations (parsing, reading files, checking) is done in a thread.

FILE: Final = "file"
BUILT_IN_ORIGIN: Final = "built-in"


@dataclass(frozen=True, slots=True)
class Found:
    """A configuration that nothing is wrong with, as far as it is known before it is tried."""

    document: Document
    files: Mapping[str, bytes]
    """What its `file` fields name."""
    origin: str

    @property
    def config(self) -> v1.Config:
        """The configuration itself."""
        return self.document.config


class Configurations:
    """Finds out whether configurations can be put in force."""

    def __init__(self, options: Options) -> None:
        self._options = options

    async def configured(self) -> Found:
        """The configuration of the file, or the built-in one. Raises Refused, with lines and columns."""
        path = self._options.config_path
        if path is None:
            return await self._checked(Document(BUILT_IN), {}, BUILT_IN_ORIGIN)
        try:
            document = await asyncio.to_thread(lambda: load(path.read_bytes()))
        except OSError as error:
            raise Refused([Problem("", f"cannot read {path}: {error.strerror or error}")]) from None
        return await self._checked(document, {}, FILE)

    async def given(self, config: v1.Config, kept: Mapping[str, bytes], origin: str) -> Found:
        """A configuration that came through the API. Raises Refused.

        `kept`: files of the revision in force. What is in that and cannot be read here (it was named by the file of
        `--config`, which may name any) is taken from there, so that what was shown can be given back.
        """
        own = v1.Config()
        own.CopyFrom(config)
        return await self._checked(Document(own), kept, origin)

    async def _checked(self, document: Document, kept: Mapping[str, bytes], origin: str) -> Found:
        files, problems = await asyncio.to_thread(self._examine, document, kept, origin)
        if problems:
            raise Refused(problems)
        return Found(document, files, origin)

    def _examine(
        self, document: Document, kept: Mapping[str, bytes], origin: str
    ) -> tuple[dict[str, bytes], list[Problem]]:
        path = self._options.config_path
        read = FilesBeside(path) if origin == FILE and path else FilesBeneath(self._options.files)

        def read_or_keep(name: str) -> bytes:
            try:
                return read(name)
            except OSError:
                if name in kept:
                    return kept[name]
                raise

        files, problems = read_files(document.config, read_or_keep)
        _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        problems += check(document.config, files, reserved=self._options.reserved, descriptor_limit=limit)
        return files, [*document.problems, *document.located(problems)]
