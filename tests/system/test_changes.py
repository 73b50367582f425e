"""Changes of the configuration while connections are served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from grpc import aio

from answerback.v1 import config_service_pb2 as pb
from answerback.v1.config_pb2 import Config
from answerback.v1.config_service_pb2_grpc import ConfigServiceStub
from tests.system.conftest import RunningServer, Start

pytestmark = pytest.mark.long

CHANGES = 100
CLIENTS = 4  # of each kind
ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])

NUMBERED = """
listeners:
  - name: once
    address: 127.0.0.1:0
    rules:
      - do: [send: "0 ", send: "0\\n", close]
  - name: line
    address: 127.0.0.1:0
    framing: line
    rules:
      - do: [send: "0 ", send: "0\\n"]
"""


@asynccontextmanager
async def stub_of(running: RunningServer) -> AsyncIterator[Any]:
    async with aio.insecure_channel(running.admin) as channel:
        yield ConfigServiceStub(channel)


def numbered(config: Config, number: int) -> Config:
    """The configuration with another reply: in two steps, so that a mixture would show."""
    changed = Config()
    changed.CopyFrom(config)
    for listener in changed.listeners:
        listener.rules[0].do[0].send.text = f"{number} "
        listener.rules[0].do[1].send.text = f"{number}\n"
    return changed


def number_in(reply: bytes) -> int:
    """Of which revision a reply is; AssertionError if it is of more than one, or not whole."""
    first, second = reply.split()
    assert reply.endswith(b"\n")
    assert first == second, reply
    return int(first)


async def one_shot(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"hi")
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    return reply


class Load:
    """Clients that send requests without pause, and check that no reply is older than the revision active then."""

    def __init__(self) -> None:
        self.active_number = 0
        self.over = False
        self.replies = 0

    async def connect_and_ask(self, address: tuple[str, int]) -> None:
        """A connection for each request."""
        while not self.over:
            active_number = self.active_number
            assert number_in(await one_shot(address)) >= active_number
            self.replies += 1

    async def ask_on(self, address: tuple[str, int]) -> None:
        """One connection for all requests."""
        reader, writer = await asyncio.open_connection(*address)
        while not self.over:
            active_number = self.active_number
            writer.write(b"hi\n")
            assert number_in(await reader.readline()) >= active_number
            self.replies += 1
        writer.close()
        await writer.wait_closed()


@ENGINES
async def test_hundred_changes_under_load_lose_no_connection(start_server: Start, engine: str) -> None:
    running = start_server(NUMBERED, "--workers", "2", "--engine", engine)
    load = Load()
    async with stub_of(running) as stub, asyncio.TaskGroup() as clients:
        config = (await stub.GetConfig(pb.GetConfigRequest())).config
        for _ in range(CLIENTS):
            clients.create_task(load.connect_and_ask(running.where("once")))
            clients.create_task(load.ask_on(running.where("line")))
        for number in range(1, CHANGES + 1):
            answer = await stub.UpdateConfig(pb.UpdateConfigRequest(config=numbered(config, number)))
            assert (answer.revision, answer.changed, answer.workers) == (number + 1, True, 2)
            load.active_number = number
            assert number_in(await one_shot(running.where("once"))) == number
        load.over = True
    assert load.replies > CHANGES
    assert running.stop() == 0


async def test_rejected_update_changes_nothing(start_server: Start) -> None:
    running = start_server(NUMBERED)
    async with stub_of(running) as stub:
        config = numbered((await stub.GetConfig(pb.GetConfigRequest())).config, 1)
        config.listeners[0].rules[0].when.regex = "(?=look)"
        config.listeners[1].name = "once"
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.UpdateConfig(pb.UpdateConfigRequest(config=config))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert violations(caught.value) >= {"listeners[0].rules[0].when.regex", "listeners[1].name"}
        problems = (await stub.ValidateConfig(pb.ValidateConfigRequest(config=config))).problems
        assert {one.path for one in problems} == violations(caught.value)
        assert (await stub.GetConfig(pb.GetConfigRequest())).revision == 1
    assert await one_shot(running.where("once")) == b"0 0\n"


async def test_update_with_stale_etag_is_aborted(start_server: Start) -> None:
    running = start_server(NUMBERED)
    async with stub_of(running) as stub:
        first = await stub.GetConfig(pb.GetConfigRequest())
        await stub.UpdateConfig(pb.UpdateConfigRequest(config=numbered(first.config, 1), etag=first.etag))
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.UpdateConfig(pb.UpdateConfigRequest(config=numbered(first.config, 2), etag=first.etag))
        assert caught.value.code() == grpc.StatusCode.ABORTED
        second = await stub.GetConfig(pb.GetConfigRequest())
        assert second.etag in (caught.value.details() or "")
    assert await one_shot(running.where("once")) == b"1 1\n"


async def test_update_call_with_validate_only_changes_nothing(start_server: Start) -> None:
    running = start_server(NUMBERED)
    async with stub_of(running) as stub:
        config = (await stub.GetConfig(pb.GetConfigRequest())).config
        asked = numbered(config, 1)
        answer = await stub.UpdateConfig(pb.UpdateConfigRequest(config=asked, validate_only=True))
        assert (answer.changed, answer.revision, answer.config) == (False, 1, asked)
        equal = await stub.UpdateConfig(pb.UpdateConfigRequest(config=config))
        assert (equal.changed, equal.revision) == (False, 1)
    assert await one_shot(running.where("once")) == b"0 0\n"


async def test_update_past_the_deadline_of_its_client_is_finished(start_server: Start) -> None:
    running = start_server(NUMBERED)
    async with stub_of(running) as stub:
        config = (await stub.GetConfig(pb.GetConfigRequest())).config
        tried = 0
        while (await stub.GetConfig(pb.GetConfigRequest())).revision == 1:
            tried += 1  # from a deadline that is over before the call has arrived to one that cuts it short
            request = pb.UpdateConfigRequest(config=numbered(config, 1))
            with suppress(aio.AioRpcError):
                await stub.UpdateConfig(request, timeout=tried / 10_000)
        assert await one_shot(running.where("once")) == b"1 1\n"
        answer = await stub.UpdateConfig(pb.UpdateConfigRequest(config=numbered(config, 2)))
        assert (answer.revision, answer.changed) == (3, True)


def violations(error: aio.AioRpcError) -> set[str]:
    """The fields at fault."""
    packed: Any = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    found = BadRequest()
    for detail in Status.FromString(packed).details:
        detail.Unpack(found)
    return {one.field for one in found.field_violations}
