"""A responder's admin API that answers as a test tells it, and commands that are asked of it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from google.protobuf.message import Message
from grpc_status import rpc_status

from answerback.cli import main
from answerback.control import errors
from answerback.v1.config_service_pb2_grpc import ConfigServiceServicer, add_ConfigServiceServicer_to_server
from answerback.v1.operations_service_pb2_grpc import (
    OperationsServiceServicer,
    add_OperationsServiceServicer_to_server,
)


@dataclass
class Api(ConfigServiceServicer, OperationsServiceServicer):
    """Answers each method with what `answers` has for it: a message, or an exception, mapped as the server maps it."""

    answers: dict[str, Message | Exception] = field(default_factory=dict)
    watched: Sequence[Message] = ()
    asked: list[Message] = field(default_factory=list)
    port: int = 0

    def _answer(self, method: str, request: Message, context: Any) -> Any:
        self.asked.append(request)
        answer = self.answers[method]
        if isinstance(answer, Exception):
            context.abort_with_status(rpc_status.to_status(errors.status_of(answer) or errors.internal("0a1b")))
        return answer

    def GetConfig(self, request: Message, context: Any) -> Any:
        return self._answer("GetConfig", request, context)

    def UpdateConfig(self, request: Message, context: Any) -> Any:
        return self._answer("UpdateConfig", request, context)

    def ValidateConfig(self, request: Message, context: Any) -> Any:
        return self._answer("ValidateConfig", request, context)

    def GetStatus(self, request: Message, context: Any) -> Any:
        return self._answer("GetStatus", request, context)

    def ListRevisions(self, request: Message, context: Any) -> Any:
        return self._answer("ListRevisions", request, context)

    def GetRevision(self, request: Message, context: Any) -> Any:
        return self._answer("GetRevision", request, context)

    def RollbackConfig(self, request: Message, context: Any) -> Any:
        return self._answer("RollbackConfig", request, context)

    def WatchConfig(self, request: Message, context: Any) -> Any:
        """All of `watched`; then what is answered, which ought to be an exception."""
        yield from self.watched
        self._answer("WatchConfig", request, context)


@pytest.fixture
def api() -> Iterator[Api]:
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    told = Api()
    add_ConfigServiceServicer_to_server(told, server)
    add_OperationsServiceServicer_to_server(told, server)
    told.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield told
    server.stop(None).wait()


Cli = Callable[..., Result]


@pytest.fixture
def cli(api: Api) -> Cli:
    """Run `answerback ARGS` against the API."""

    def run(*args: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(main, args, input=stdin, env={"ANSWERBACK_SERVER": f"127.0.0.1:{api.port}"})

    return run
