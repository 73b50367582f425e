"""The calls of ConfigService."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from answerback.client import values
from answerback.client.errors import ConfigRejected, OutOfRange, rejected
from answerback.client.faces import Caller, Feed, call, stream
from answerback.document import document
from answerback.document.values import fill
from answerback.language.problems import Problem
from answerback.v1 import config_pb2, config_service_pb2

Source = Mapping[str, Any] | str | bytes | PathLike[str]
"""A configuration: a mapping as in YAML, the text of a YAML file, or the path of one."""


class ConfigCalls(Caller):
    """The active configuration and its history."""

    @call
    async def get_config(self) -> values.Config:
        """Get the active configuration, without shorthand and without default values."""
        return await self._value(values.Config, config_service_pb2.GetConfigRequest())

    @call
    async def update_config(
        self, config: Source, *, etag: str = "", comment: str = "", validate_only: bool = False
    ) -> values.ConfigChange:
        """Apply a configuration on all workers or none.

        `etag`: only if this is the etag of the active revision; otherwise Aborted. `comment` is stored in the history.
        Raises ConfigRejected with every problem; for a text or a file, each with its line and column.
        """
        read = _read(config)
        if read.problems:
            raise rejected(read.problems)
        request = config_service_pb2.UpdateConfigRequest(
            config=read.config, etag=etag, comment=comment, validate_only=validate_only
        )
        try:
            return await self._value(values.ConfigChange, request)
        except ConfigRejected as error:
            problems = list(error.problems)
            if error.total > len(problems):  # a status has room for some of them
                problems = await self._problems(read.config) or problems
            raise rejected(read.located(problems)) from None

    @call
    async def validate_config(self, config: Source) -> list[Problem]:
        """Return every problem that `update_config` would raise; none if the configuration is valid."""
        read = _read(config)
        return [*read.problems, *read.located(await self._problems(read.config))]

    @stream
    def watch_config(self, *, after: str = "") -> Feed[values.RevisionEvent]:
        """Receive every revision as it becomes active, beginning with the active one.

        `after`: begin after the revision with this etag. A watch outlives the connection, and the server: it connects
        again and goes on after the last revision that it received. It ends with an Error if there is no connection
        within the client's timeout.
        """
        request = config_service_pb2.WatchConfigRequest(after_etag=after)

        def again(last: Any, error: Exception) -> config_service_pb2.WatchConfigRequest:
            if isinstance(error, OutOfRange):  # a server without --state has begun a new history
                return config_service_pb2.WatchConfigRequest()
            etag = last.revision.etag if last is not None else after
            return config_service_pb2.WatchConfigRequest(after_etag=etag)

        return Feed(self, request, values.value, again)

    @call
    async def list_revisions(self, *, limit: int | None = None, with_config: bool = False) -> list[values.Revision]:
        """List the stored revisions, newest first, at most `limit`."""
        request = config_service_pb2.ListRevisionsRequest(with_config=with_config)
        return await self._pages(request, "revisions", limit)

    @call
    async def get_revision(self, revision: int) -> values.Revision:
        """Get one revision with its configuration. Raises NotFound if it is not stored."""
        found: values.Revision = values.value(
            (await self._call(config_service_pb2.GetRevisionRequest(revision=revision))).revision
        )
        return found

    @call
    async def rollback_config(
        self, revision: int, *, etag: str = "", comment: str = "", validate_only: bool = False
    ) -> values.ConfigChange:
        """Apply the configuration of an earlier revision again, as a new revision. Raises NotFound."""
        request = config_service_pb2.RollbackConfigRequest(
            revision=revision, etag=etag, comment=comment, validate_only=validate_only
        )
        return await self._value(values.ConfigChange, request)

    async def _problems(self, config: config_pb2.Config) -> list[Problem]:
        answer = await self._call(config_service_pb2.ValidateConfigRequest(config=config))
        return [values.value(problem) for problem in answer.problems]


def _read(source: Source) -> document.Document:
    if isinstance(source, Mapping):
        config = config_pb2.Config()
        return document.Document(config, tuple(fill(config, source)))
    return document.load(source if isinstance(source, str | bytes) else Path(source).read_bytes())
