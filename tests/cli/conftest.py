"""An admin API whose answers a test sets, and commands that call it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from google.protobuf import message_factory
from google.protobuf.message import Message
from grpc_status import rpc_status

from answerback.cli import main
from answerback.control import errors, schema


@dataclass
class Api:
    """Answers each method with what `answers` has for it: a message, many for a stream, or an exception."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[Message] = field(default_factory=list)
    port: int = 0
    server: Any = None

    def one(self, method: str, request: Message, context: Any) -> Any:
        """An exception is mapped as the server maps it."""
        self.asked.append(request)
        answer = self.answers[method]
        if callable(answer):
            answer = answer(context)
        if isinstance(answer, Exception):
            context.abort_with_status(rpc_status.to_status(errors.status_of(answer) or errors.internal("0a1b")))
        return answer

    def many(self, method: str, request: Message, context: Any) -> Iterator[Any]:
        """The messages, and what they end with if that is an exception."""
        for answer in self.one(method, request, context):
            if isinstance(answer, Exception):
                context.abort_with_status(rpc_status.to_status(errors.status_of(answer) or errors.internal("0a1b")))
            yield answer

    def serves(self, service: Any) -> Any:
        """What gRPC calls for a service: every method of its .proto."""
        handlers = {}
        for method in service.methods:
            kind: Any = message_factory.GetMessageClass(method.input_type)
            codec = {
                "request_deserializer": kind.FromString,
                "response_serializer": lambda message: message.SerializeToString(),
            }
            make = (
                grpc.unary_stream_rpc_method_handler if method.server_streaming else grpc.unary_unary_rpc_method_handler
            )
            answer = self.many if method.server_streaming else self.one
            handlers[method.name] = make(partial(answer, method.name), **codec)
        return grpc.method_handlers_generic_handler(service.full_name, handlers)


@pytest.fixture
def api() -> Iterator[Api]:
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    told = Api()
    services = [service for file in schema.FILES for service in file.services_by_name.values()]
    server.add_generic_rpc_handlers(tuple(map(told.serves, services)))
    told.port = server.add_insecure_port("127.0.0.1:0")
    told.server = server
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
