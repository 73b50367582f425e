"""answerback.v1.ConfigService."""

from typing import Any, Final

from grpc import aio

from answerback.config.problems import Problem, Refused
from answerback.control.requests import check_comment
from answerback.supervisor import Supervisor
from answerback.v1 import config_service_pb2 as pb
from answerback.v1.config_service_pb2_grpc import ConfigServiceServicer
from answerback.v1.problem_pb2 import Problem as ProblemMessage

# A request without a configuration would else be taken for one without listeners, and drain everything.
MISSING: Final = Problem("config", "there is none; one without listeners is an empty message")

Context = aio.ServicerContext[Any, Any]


class ConfigService(ConfigServiceServicer):
    """The configuration in force, and changing it."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    async def GetConfig(self, request: pb.GetConfigRequest, context: Context) -> pb.GetConfigResponse:
        """What is in force, as it was given."""
        current = self._supervisor.current
        return pb.GetConfigResponse(config=current.config, revision=current.number, etag=current.etag)

    async def UpdateConfig(self, request: pb.UpdateConfigRequest, context: Context) -> pb.UpdateConfigResponse:
        """Puts a configuration in force; the supervisor finishes what has begun, although the client may leave."""
        check_comment(request.comment)
        if not request.HasField("config"):
            raise Refused([MISSING])
        change = await self._supervisor.update(
            request.config, etag=request.etag, comment=request.comment, validate_only=request.validate_only
        )
        return pb.UpdateConfigResponse(
            config=change.revision.config,
            revision=change.revision.number,
            etag=change.revision.etag,
            changed=change.changed,
            workers=change.workers,
        )

    async def ValidateConfig(self, request: pb.ValidateConfigRequest, context: Context) -> pb.ValidateConfigResponse:
        """Every problem of a configuration; OK all the same."""
        problems = await self._supervisor.validate(request.config) if request.HasField("config") else [MISSING]
        found = (ProblemMessage(path=problem.path, message=problem.message) for problem in problems)
        return pb.ValidateConfigResponse(problems=found)
