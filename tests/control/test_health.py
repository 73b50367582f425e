"""grpc.health.v1.Health, over the wire."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from answerback.control import schema

SERVING, NOT_SERVING, UNKNOWN = (
    HealthCheckResponse.SERVING,
    HealthCheckResponse.NOT_SERVING,
    HealthCheckResponse.SERVICE_UNKNOWN,
)
SERVICES = (
    "answerback.v1.ConfigService",
    "answerback.v1.ConnectionService",
    "answerback.v1.JournalService",
    "answerback.v1.ListenerService",
    "answerback.v1.OperationsService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)


@pytest.fixture
def stub(channel: aio.Channel) -> Any:
    return HealthStub(channel)


async def check(stub: Any, name: str) -> int:
    answer = await stub.Check(HealthCheckRequest(service=name))
    status: int = answer.status
    return status


@pytest.mark.parametrize("name", ["", "readiness", "listener/hello", *SERVICES])
async def test_health_check_follows_the_state_of_the_supervisor(stub: Any, supervisor: Any, name: str) -> None:
    assert await check(stub, name) == SERVING
    supervisor.health.set("draining", ["hello"])
    assert await check(stub, name) == NOT_SERVING


async def test_liveness_stays_serving_during_a_drain(stub: Any, supervisor: Any) -> None:
    supervisor.health.set("draining", ["hello"])
    assert await check(stub, "liveness") == SERVING


async def test_health_check_of_unknown_service_is_not_found(stub: Any) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await check(stub, "listener/other")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "'listener/other' is neither a service here nor a listener"


async def test_health_watch_sends_a_message_only_when_its_service_changes(stub: Any, supervisor: Any) -> None:
    call = stub.Watch(HealthCheckRequest(service="readiness"))
    assert (await call.read()).status == SERVING
    supervisor.health.set("", ["hello", "other"])  # changes, but not this one
    supervisor.health.set("draining", ["hello"])
    assert (await call.read()).status == NOT_SERVING
    supervisor.health.set("", ["hello"])
    assert (await call.read()).status == SERVING
    call.cancel()


async def test_health_watch_of_listener_follows_its_coming_and_going(stub: Any, supervisor: Any) -> None:
    call = stub.Watch(HealthCheckRequest(service="listener/other"))
    assert (await call.read()).status == UNKNOWN
    supervisor.health.set("", ["hello", "other"])
    assert (await call.read()).status == SERVING
    supervisor.health.set("", ["hello"])
    assert (await call.read()).status == UNKNOWN
    call.cancel()


async def test_cancelled_health_watch_call_leaves_the_others(stub: Any, supervisor: Any) -> None:
    calls = [stub.Watch(HealthCheckRequest(service=name)) for name in ("", "readiness", "listener/hello")]
    assert [(await call.read()).status for call in calls] == [SERVING] * 3
    calls[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[0].read()
    supervisor.health.set("draining", ["hello"])
    assert [(await call.read()).status for call in calls[1:]] == [NOT_SERVING] * 2
    for call in calls:
        call.cancel()


async def test_health_list_has_every_service(channel: aio.Channel, supervisor: Any) -> None:
    supervisor.health.set("draining", ["hello"])
    ask = channel.unary_unary(
        "/grpc.health.v1.Health/List",
        request_serializer=schema.HealthListRequest.SerializeToString,
        response_deserializer=schema.HealthListResponse.FromString,
    )
    answer = await ask(schema.HealthListRequest())
    names = ("", "liveness", "readiness", "listener/hello", *SERVICES)
    assert {name: answer.statuses[name].status for name in answer.statuses} == {
        name: SERVING if name == "liveness" else NOT_SERVING for name in names
    }
