"""Many calls over one connection: gRPC counts the streams whose calls Python has not freed yet."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc import aio

from answerback.control.limits import MOST, STREAMS, Kind
from answerback.v1 import config_service_pb2 as pb
from answerback.v1.config_service_pb2_grpc import ConfigServiceStub
from tests.supervisor.supervising import until

Call = Callable[[aio.Channel], Awaitable[object]]


async def read(channel: aio.Channel) -> None:
    await ConfigServiceStub(channel).GetConfig(pb.GetConfigRequest())


async def fail(channel: aio.Channel) -> None:
    with pytest.raises(grpc.RpcError, match="not in the history"):
        await ConfigServiceStub(channel).GetRevision(pb.GetRevisionRequest(revision=99))


async def leave(channel: aio.Channel) -> None:
    watch = ConfigServiceStub(channel).WatchConfig(pb.WatchConfigRequest())
    await watch.initial_metadata()
    watch.cancel()


async def miss(channel: aio.Channel) -> None:
    with suppress(grpc.RpcError):
        unknown: Any = channel.unary_unary("/no/Method")
        await unknown(b"")


def calls() -> int:
    """How many calls gRPC's servers hold in this process; each server has one for its next client."""
    return sum(type(each).__name__ == "RPCState" for each in gc.get_objects())


@pytest.mark.parametrize("call", [read, fail, leave, miss])
async def test_finished_call_is_freed_without_the_garbage_collector(channel: aio.Channel, call: Call) -> None:
    await call(channel)
    gc.collect()
    before = calls()
    gc.disable()
    try:
        for _ in range(20):
            await call(channel)
        await until(lambda: calls() <= before, within=10.0)
    finally:
        gc.enable()


async def test_connection_serves_more_calls_than_it_has_streams(channel: aio.Channel) -> None:
    stub, at_once = ConfigServiceStub(channel), MOST[Kind.READ] // 2
    gc.disable()  # the collector may come late
    try:
        for _ in range(10):
            await asyncio.gather(*(stub.GetConfig(pb.GetConfigRequest()) for _ in range(at_once)))
    finally:
        gc.enable()
    assert 10 * at_once > 2 * STREAMS
