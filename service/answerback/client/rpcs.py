"""The RPCs of the admin API, found in its descriptors: a request names its RPC."""

from typing import Any, Final, NamedTuple

from google.protobuf import message_factory
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from answerback.v1 import (
    config_service_pb2,
    connection_service_pb2,
    journal_service_pb2,
    listener_service_pb2,
    operations_service_pb2,
)

FILES: Final = (
    config_service_pb2,
    connection_service_pb2,
    journal_service_pb2,
    listener_service_pb2,
    operations_service_pb2,
)
SERVICES: Final = tuple(service for file in FILES for service in file.DESCRIPTOR.services_by_name.values())


class Rpc(NamedTuple):
    """The path of an RPC, the class of its replies, and whether there are several."""

    path: str
    reply: Any
    streams: bool


def _rpcs() -> dict[str, Rpc]:
    rpcs: dict[str, Rpc] = {}
    for service in SERVICES:
        for method in service.methods:
            reply = message_factory.GetMessageClass(method.output_type)
            path = f"/{service.full_name}/{method.name}"
            rpcs[method.input_type.full_name] = Rpc(path, reply, method.server_streaming)
    return rpcs


RPCS: Final = _rpcs()
"""The RPCs by the full name of the request's message: no two RPCs share one."""

# grpc.health.v1: one string in, one enum out. On the wire these wrappers are the same, and need no other package.
HealthRequest: Final = StringValue
HEALTH: Final = {
    False: Rpc("/grpc.health.v1.Health/Check", Int32Value, streams=False),
    True: Rpc("/grpc.health.v1.Health/Watch", Int32Value, streams=True),
}
HEALTH_SERVING: Final = 1


def unary_method(channel: Any, request: Message) -> Any:
    """Return what sends a request over a channel, blocking or not, and returns the reply."""
    rpc = rpc_of(request, streams=False)
    return channel.unary_unary(rpc.path, type(request).SerializeToString, rpc.reply.FromString)


def stream_method(channel: Any, request: Message) -> Any:
    """Return what sends a request over a channel, blocking or not, and returns a stream of replies."""
    rpc = rpc_of(request, streams=True)
    return channel.unary_stream(rpc.path, type(request).SerializeToString, rpc.reply.FromString)


def rpc_of(request: Message, *, streams: bool) -> Rpc:
    """Return the RPC of a request."""
    if isinstance(request, StringValue):
        return HEALTH[streams]
    return RPCS[request.DESCRIPTOR.full_name]
