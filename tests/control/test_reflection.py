"""Server reflection over the wire, as grpcurl and similar clients use it."""

from collections.abc import Iterable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc import aio
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from answerback.control import schema


@pytest.fixture(params=schema.REFLECTION)
def ask(request: Any, channel: aio.Channel) -> Any:
    call = channel.stream_stream(
        f"/{request.param}/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )

    async def one(**question: Any) -> Any:
        return await anext(aiter(call(iter([ServerReflectionRequest(**question)]))))

    return one


def pool_of(files: Iterable[bytes]) -> Any:
    """A client's pool: files come after those that import them, or before."""
    pool: Any = DescriptorPool()
    waiting = [FileDescriptorProto.FromString(file) for file in files]
    while waiting:
        ready = [file for file in waiting if not {other.name for other in waiting} & set(file.dependency)]
        assert ready
        for file in ready:
            pool.AddSerializedFile(file.SerializeToString())
            waiting.remove(file)
    return pool


async def test_reflection_lists_every_service(ask: Any) -> None:
    answer = await ask(list_services="")
    assert sorted(one.name for one in answer.list_services_response.service) == sorted(schema.SERVICES)


@pytest.mark.parametrize("service", schema.SERVICES)
async def test_reflection_descriptors_build_every_service(ask: Any, service: str) -> None:
    answer = await ask(file_containing_symbol=service)
    pool = pool_of(answer.file_descriptor_response.file_descriptor_proto)
    assert pool.FindServiceByName(service).methods


async def test_reflection_describes_health_with_check_watch_and_list(ask: Any) -> None:
    answer = await ask(file_containing_symbol="grpc.health.v1.Health")
    pool = pool_of(answer.file_descriptor_response.file_descriptor_proto)
    methods = pool.FindServiceByName("grpc.health.v1.Health").methods
    assert {one.name for one in methods} == {"Check", "Watch", "List"}


async def test_reflection_of_unknown_symbol_is_not_found(ask: Any) -> None:
    answer = await ask(file_containing_symbol="answerback.v1.NoService")
    assert answer.error_response.error_code == 5
