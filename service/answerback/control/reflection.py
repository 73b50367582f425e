"""Server reflection, v1 and v1alpha, so that grpcurl and similar tools need no .proto files."""

from grpc import aio, method_handlers_generic_handler, stream_stream_rpc_method_handler
from grpc_reflection.v1alpha import reflection, reflection_pb2

from answerback.control import schema


def add_reflection(server: aio.Server) -> None:
    """Register the servicer under both names; their messages are the same on the wire."""
    servicer = reflection.aio.ReflectionServicer(schema.SERVICES, pool=schema.POOL)
    handler = stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    for name in schema.REFLECTION:
        server.add_generic_rpc_handlers((method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}),))
