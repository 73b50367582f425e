"""Requests that arrive slowly, in great number, incompletely, or with too many parts."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc import aio
from grpc_status import rpc_status

from answerback.control import receiving
from answerback.control.authorisation import Tokens
from answerback.control.interceptor import Guard
from answerback.control.limits import MOST, Kind, Limits
from answerback.control.receiving import LARGE, MalformedRequest, Receiver, RequestUnfinished
from answerback.language.parts import MAX_PARTS
from answerback.v1.config_service_pb2 import ValidateConfigRequest
from tests.system import flooding
from tests.waiting import eventually

EMPTY_LISTENER = b"\x0a\x00"
ADDRESSES: dict[aio.Channel, str] = {}
VALIDATE = "/answerback.v1.ConfigService/ValidateConfig"


class Slow:
    """A call whose message comes when a test says so."""

    def __init__(self) -> None:
        self.message: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def read(self) -> Any:
        return await self.message


def receive(receiver: Receiver, call: Slow) -> "asyncio.Task[bytes]":
    return asyncio.create_task(receiver.first(cast(Any, call), "/a.B/C"))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_complete_message_is_received() -> None:
    call = Slow()
    call.message.set_result(b"hello")
    assert await receive(Receiver(), call) == b"hello"


async def test_call_without_a_message_is_malformed() -> None:
    call = Slow()
    call.message.set_result(aio.EOF)
    with pytest.raises(MalformedRequest, match=r"not a request of a\.B/C"):
        await receive(Receiver(), call)


async def test_message_that_does_not_arrive_in_time_is_rejected() -> None:
    with pytest.raises(RequestUnfinished, match=r"did not arrive within 0\.01 s"):
        await receive(Receiver(seconds=0.01), Slow())


async def test_oldest_incomplete_call_beyond_the_limit_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "AT_ONCE", 0.0)
    receiver = Receiver(crowd=2)
    slow = [receive(receiver, Slow()) for _ in range(2)]
    await settle()
    call = Slow()
    arriving = receive(receiver, call)
    with pytest.raises(RequestUnfinished):
        await slow[0]
    assert not slow[1].done()
    assert not arriving.done()
    call.message.set_result(b"whole")
    assert await arriving == b"whole"
    slow[1].cancel()


async def test_recent_incomplete_calls_beyond_the_limit_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "AT_ONCE", 60.0)  # on any machine
    receiver = Receiver(seconds=120.0, crowd=1)
    calls = [Slow() for _ in range(20)]
    arriving = [receive(receiver, call) for call in calls]
    await settle()
    for call in calls:
        call.message.set_result(b"whole")
    assert await asyncio.gather(*arriving) == [b"whole"] * 20


async def test_unfinished_requests_past_the_maximum_end_the_oldest() -> None:
    receiver = Receiver(crowd=100, most=3)
    slow = [receive(receiver, Slow()) for _ in range(5)]
    for each in slow[:2]:
        with pytest.raises(RequestUnfinished):
            await each
    await settle()
    assert [each.done() for each in slow[2:]] == [False] * 3
    for each in slow[2:]:
        each.cancel()


async def test_cancelled_call_frees_its_place_for_another() -> None:
    receiver = Receiver(most=1)
    gone = receive(receiver, Slow())
    await settle()
    gone.cancel()
    await asyncio.wait([gone])
    call = Slow()
    arriving = receive(receiver, call)
    await settle()
    call.message.set_result(b"whole")
    assert await arriving == b"whole"
    assert receiver._arriving == {}


@pytest.mark.parametrize("size", [1, LARGE - 1, LARGE, 1 << 20])
async def test_message_of_any_size_is_parsed(size: int) -> None:
    parsed = await Receiver().parsed(bytes(size), "/a.B/C", len, None)
    assert parsed == size


async def test_large_message_is_parsed_in_another_thread() -> None:
    receiver, here = Receiver(), threading.get_ident()
    parse: Any = lambda _: threading.get_ident()  # noqa: E731
    assert await receiver.parsed(bytes(LARGE - 1), "", parse, None) == here
    assert await receiver.parsed(bytes(LARGE), "", parse, None) != here


@asynccontextmanager
async def serving(function: Callable[..., Any], limits: Limits | None = None) -> AsyncIterator[aio.Channel]:
    """A server whose ValidateConfig does as told, with the guard around it."""
    guard = Guard(Tokens(), limits or Limits())
    handler = grpc.unary_unary_rpc_method_handler(function, ValidateConfigRequest.FromString, bytes)
    server = aio.server(interceptors=[guard])
    service = grpc.method_handlers_generic_handler("answerback.v1.ConfigService", {"ValidateConfig": handler})
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        ADDRESSES[channel] = f"127.0.0.1:{port}"
        yield channel
    await server.stop(None)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the server does in its own time."""
    await asyncio.to_thread(eventually, condition)


def _address(channel: aio.Channel) -> str:
    """Where the server of a channel listens."""
    return ADDRESSES[channel]


def ask(channel: aio.Channel, data: bytes) -> Any:
    call: Any = channel.unary_unary(VALIDATE)
    return call(data, timeout=20)


async def reason(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    status, info = rpc_status.from_call(cast(Any, caught.value)), ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return caught.value.code(), info.reason


def listeners(count: int) -> bytes:
    return ValidateConfigRequest().SerializeToString() + _delimited(EMPTY_LISTENER * count)


def _delimited(content: bytes) -> bytes:
    size, length = b"", len(content)
    while length > 127:
        size, length = size + bytes((length & 127 | 128,)), length >> 7
    return b"\x0a" + size + bytes((length,)) + content


async def test_request_with_too_many_parts_is_rejected_before_parsing() -> None:
    seen = []

    async def validate(request: Any, _: Any) -> bytes:
        seen.append(len(request.config.listeners))
        return b"ok"

    async with serving(validate) as channel:
        assert await ask(channel, listeners(MAX_PARTS - 1)) == b"ok"
        invalid = (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_PARTS")
        assert await reason(ask(channel, listeners(MAX_PARTS))) == invalid
    assert seen == [MAX_PARTS - 1]


async def test_large_requests_are_served_one_at_a_time_and_small_ones_meanwhile() -> None:
    now, most, go = 0, 0, asyncio.Event()

    async def validate(request: Any, _: Any) -> bytes:
        nonlocal now, most
        if len(request.config.listeners) < 10:
            return b"small"
        now += 1
        most = max(most, now)
        await go.wait()
        now -= 1
        return b"large"

    async with serving(validate) as channel:
        large = [asyncio.ensure_future(cast(Any, ask(channel, listeners(LARGE)))) for _ in range(4)]
        while not now:
            assert await ask(channel, listeners(1)) == b"small"
        assert await ask(channel, listeners(1)) == b"small"
        go.set()
        assert await asyncio.gather(*large) == [b"large"] * 4
    assert most == 1


async def test_large_request_being_served_continues_after_its_client_leaves() -> None:
    """Else the next would be served beside what a thread still does for it."""
    begun, served, go = [], [], asyncio.Event()

    async def validate(request: Any, _: Any) -> bytes:
        count = len(request.config.listeners)
        if count >= 10:
            begun.append(count)
            await go.wait()
            served.append(count)
        return b"ok"

    async with serving(validate) as channel:
        leaving = ask(channel, listeners(LARGE))
        while not begun:
            await ask(channel, listeners(1))
        leaving.cancel()
        following = asyncio.ensure_future(cast(Any, ask(channel, listeners(LARGE + 1))))
        for _ in range(20):  # the server has heard of the one that left, and of the one that came
            await ask(channel, listeners(1))
        assert begun == [LARGE]
        go.set()
        assert await following == b"ok"
    assert served == [LARGE, LARGE + 1]


async def test_large_request_whose_client_leaves_while_it_waits_is_not_served() -> None:
    begun, go = [], asyncio.Event()

    async def validate(request: Any, _: Any) -> bytes:
        begun.append(len(request.config.listeners))
        await go.wait()
        return b"ok"

    limits = Limits()
    async with serving(validate, limits) as channel:
        calls = [asyncio.ensure_future(cast(Any, ask(channel, listeners(LARGE + number)))) for number in range(3)]
        await until(lambda: limits._now[Kind.READ] == 3 and bool(begun))
        second = next(call for number, call in enumerate(calls) if LARGE + number != begun[0])
        second.cancel()
        await until(lambda: limits._now[Kind.READ] == 2)
        go.set()
        done = [await call for call in calls if call is not second]
    assert done == [b"ok"] * 2
    assert len(begun) == 2


async def test_ended_call_frees_its_place_and_bytes() -> None:
    async def validate(*_: Any) -> bytes:
        return bytes(1 << 20)

    limits = Limits(MOST)
    async with serving(validate, limits) as channel:
        assert len(await ask(channel, b"")) == 1 << 20
        assert await reason(ask(channel, b"\xff")) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
        await until(lambda: not limits._now[Kind.READ])
        assert limits._bytes[Kind.READ] == 0


async def test_unread_answer_holds_its_place_until_read_or_cancelled() -> None:
    async def validate(*_: Any) -> bytes:
        return bytes(1 << 20)

    limits = Limits(MOST)
    async with serving(validate, limits) as channel:
        assert await ask(channel, b"")
        await until(lambda: not limits._now[Kind.READ])
        with flooding.connect(_address(channel)) as peer:
            peer.sendall(flooding.BEGIN + flooding.call(flooding.VALIDATE_CONFIG, 0, flooding.message()))
            await until(lambda: limits._bytes[Kind.READ] == 1 << 20)
            assert limits._now[Kind.READ] == 1
        await until(lambda: not limits._now[Kind.READ])
        assert limits._bytes[Kind.READ] == 0


async def test_response_for_which_there_is_no_room_is_not_computed() -> None:
    computed = []

    async def validate(*_: Any) -> bytes:
        computed.append(1)
        return bytes(1 << 20)

    limits = Limits(MOST, call_bytes=3 << 20)
    async with serving(validate, limits) as channel:
        assert await ask(channel, b"")
        await until(lambda: not limits._now[Kind.READ])
        with flooding.connect(_address(channel)) as peer:
            calls = [flooding.call(flooding.VALIDATE_CONFIG, number, flooding.message()) for number in range(20)]
            peer.sendall(flooding.BEGIN + b"".join(calls))
            await until(lambda: limits._bytes[Kind.READ] == 3 << 20)
            assert await reason(ask(channel, b"")) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_BYTES")
            assert len(computed) == 1 + 3
        await until(lambda: not limits._now[Kind.READ])
        assert await ask(channel, b"")


async def test_request_beyond_the_maximum_of_bytes_is_rejected() -> None:
    go = asyncio.Event()

    async def validate(*_: Any) -> bytes:
        await go.wait()
        return b"ok"

    limits = Limits(MOST, call_bytes=50_000)
    async with serving(validate, limits) as channel:
        first = asyncio.ensure_future(cast(Any, ask(channel, listeners(LARGE))))
        await until(lambda: bool(limits._bytes[Kind.READ]))
        assert await reason(ask(channel, listeners(LARGE))) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_BYTES")
        go.set()
        assert await first == b"ok"
