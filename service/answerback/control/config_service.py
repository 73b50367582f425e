"""answerback.v1.ConfigService."""

from collections.abc import AsyncIterator
from typing import Any, Final

from grpc import aio

from answerback.control.errors import BadArgument
from answerback.control.requests import check_comment, page_size
from answerback.control.times import timestamp
from answerback.language.problems import InvalidConfig, Problem
from answerback.language.redaction import redacted
from answerback.supervisor import Change, Entry, NotOfThisHistory, Revision, Supervisor
from answerback.v1 import config_service_pb2 as pb
from answerback.v1 import problem_pb2
from answerback.v1.config_service_pb2_grpc import ConfigServiceServicer

# A request without a configuration would otherwise mean one without listeners, and drain everything.
MISSING: Final = Problem("config", "missing; a configuration without listeners is an empty message")

Context = aio.ServicerContext[Any, Any]


class ConfigService(ConfigServiceServicer):
    """Reads and changes the active configuration."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def GetConfig(self, request: pb.GetConfigRequest, context: Context) -> pb.GetConfigResponse:
        """Return the active configuration, as it was given, but for private keys."""
        current = self._supervisor.current
        return pb.GetConfigResponse(config=redacted(current.config), revision=current.number, etag=current.etag)

    async def UpdateConfig(self, request: pb.UpdateConfigRequest, context: Context) -> pb.UpdateConfigResponse:
        """Apply a configuration; a change that has begun is finished even if the client disconnects."""
        check_comment(request.comment)
        if not request.HasField("config"):
            raise InvalidConfig([MISSING])
        change = await self._supervisor.update(
            request.config, etag=request.etag, comment=request.comment, validate_only=request.validate_only
        )
        return pb.UpdateConfigResponse(**_change(change))

    async def ValidateConfig(self, request: pb.ValidateConfigRequest, context: Context) -> pb.ValidateConfigResponse:
        """Return every problem of a configuration; the status is OK in any case."""
        problems = await self._supervisor.validate(request.config) if request.HasField("config") else [MISSING]
        found = (problem_pb2.Problem(path=problem.path, message=problem.message) for problem in problems)
        return pb.ValidateConfigResponse(problems=found)

    async def WatchConfig(
        self, request: pb.WatchConfigRequest, context: Context
    ) -> AsyncIterator[pb.WatchConfigResponse]:
        """Stream every revision as it becomes active, at the client's pace."""
        await context.send_initial_metadata(())  # send headers now, as no revision may come for long
        async for seen in self._supervisor.history.watch(request.after_etag):
            yield pb.WatchConfigResponse(revision=_revision(seen.revision), skipped=seen.skipped)

    async def ListRevisions(self, request: pb.ListRevisionsRequest, context: Context) -> pb.ListRevisionsResponse:
        """Return a page of the history."""
        count = page_size(request.page_size)
        try:
            page = await self._supervisor.history.page(request.page_token, count, whole=request.with_config)
        except NotOfThisHistory as error:
            raise BadArgument("page_token", str(error)) from None
        return pb.ListRevisionsResponse(revisions=map(_revision, page.revisions), next_page_token=page.next_token)

    async def GetRevision(self, request: pb.GetRevisionRequest, context: Context) -> pb.GetRevisionResponse:
        """Return one revision with its content."""
        return pb.GetRevisionResponse(revision=_revision(await self._supervisor.history.get(request.revision)))

    async def RollbackConfig(self, request: pb.RollbackConfigRequest, context: Context) -> pb.RollbackConfigResponse:
        """Apply the content of an earlier revision."""
        check_comment(request.comment)
        change = await self._supervisor.rollback(
            request.revision, etag=request.etag, comment=request.comment, validate_only=request.validate_only
        )
        return pb.RollbackConfigResponse(**_change(change))


def _change(change: Change) -> dict[str, Any]:
    """Return the response fields of a change."""
    revision = change.revision
    return {
        "config": redacted(revision.config),
        "revision": revision.number,
        "etag": revision.etag,
        "changed": change.changed,
        "workers": change.workers,
    }


def _revision(revision: Revision | Entry) -> pb.Revision:
    return pb.Revision(
        number=revision.number,
        etag=revision.etag,
        time=timestamp(revision.time),
        origin=revision.origin,
        comment=revision.comment,
        identity=revision.identity,
        config=redacted(revision.config) if isinstance(revision, Revision) else None,
    )
