"""The interceptor around every method, over the wire: tokens, limits, and hidden internal errors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc import aio
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_status import rpc_status

from answerback.control import schema, server
from answerback.control.address import parse
from answerback.control.authorisation import CHANGES, JOURNAL, READS, Permit, Tokens
from answerback.control.credentials import Protection
from answerback.control.interceptor import Guard, HangUps
from answerback.control.limits import MOST, Kind, Limits
from answerback.control.server import MAX_CONFIG_BYTES, AdminServer
from answerback.supervisor import Supervisor
from answerback.v1.config_service_pb2 import GetConfigRequest, UpdateConfigRequest, WatchConfigRequest
from answerback.v1.config_service_pb2_grpc import ConfigServiceStub

FULL, READ, WRONG = "full" * 8, "read" * 8, "none" * 8
OK, UNAUTHENTICATED, DENIED = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
TOO_MUCH, INVALID = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT

METHODS = [
    pytest.param(f"/{service.full_name}/{method.name}", method, id=f"{service.name}.{method.name}")
    for service in (schema.POOL.FindServiceByName(name) for name in schema.SERVICES)  # type: ignore[no-untyped-call]
    for method in service.methods
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {"token_file": tmp_path / "full", "read_token_file": tmp_path / "read"}
    for path, token in zip(found.values(), (FULL, READ), strict=True):
        path.write_text(token)
        path.chmod(0o600)
    return found


@asynccontextmanager
async def serving(supervisor: Any, **protection: Any) -> AsyncIterator[aio.Channel]:
    admin = AdminServer(cast(Supervisor, supervisor), parse("127.0.0.1:0"), Protection(**protection))
    await admin.start()
    async with aio.insecure_channel(admin.address) as channel:
        yield channel
    await admin.stop()


@pytest.fixture
async def guarded(supervisor: Any, files: dict[str, Path]) -> AsyncIterator[aio.Channel]:
    async with serving(supervisor, **files) as channel:
        yield channel


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


LET_IN = 2.0  # seconds, in which a call that is refused is: a watch that is let in has nothing to say


async def outcome(
    channel: aio.Channel, path: str, method: Any, metadata: Any = (), request: bytes = b"", within: float = 10.0
) -> Any:
    """The first thing that becomes of a call with these bytes: a response, or the error.

    A method that takes a stream is called as if it took one message, which is the same on the wire: a stream's writer
    that is refused before it has written says INTERNAL, and keeps for itself what the server said.
    """
    call: Any = (channel.unary_stream if method.server_streaming else channel.unary_unary)(path)
    try:
        if method.server_streaming:
            started = call(request, metadata=metadata, timeout=within)
            first = await started.read()
            started.cancel()
            return await started.code() if first is aio.EOF else first
        return await call(request, metadata=metadata, timeout=within)
    except aio.AioRpcError as error:
        return error


def code_of(found: Any) -> grpc.StatusCode:
    return found.code() if isinstance(found, aio.AioRpcError) else OK


def reason_of(error: aio.AioRpcError) -> str:
    status, info = rpc_status.from_call(cast(Any, error)), ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return info.reason


@pytest.mark.parametrize("path, method", METHODS)
@pytest.mark.parametrize(
    "metadata",
    [(), bearer(WRONG), bearer(FULL[:-1]), (("authorization", FULL),)],
    ids=["none", "wrong", "cut", "bare"],
)
async def test_each_method_without_token_is_unauthenticated(
    guarded: aio.Channel, supervisor: Any, path: str, method: Any, metadata: Any
) -> None:
    refused = await outcome(guarded, path, method, metadata)
    assert code_of(refused) == UNAUTHENTICATED
    assert reason_of(refused) == "UNAUTHENTICATED"
    assert supervisor.asked == []


@pytest.mark.parametrize("path, method", METHODS)
async def test_read_token_permits_reads_and_denies_changes_on_every_method(
    guarded: aio.Channel, supervisor: Any, path: str, method: Any
) -> None:
    found = await outcome(guarded, path, method, bearer(READ), within=LET_IN)
    service = method.containing_service.full_name
    if method.name in (*CHANGES.get(service, ()), *JOURNAL.get(service, ())):
        assert (code_of(found), reason_of(found)) == (DENIED, "PERMISSION_DENIED")
        assert supervisor.asked == []
    else:
        assert method.name in READS[service]
        assert code_of(found) not in {UNAUTHENTICATED, DENIED}


@pytest.mark.parametrize("path, method", METHODS)
async def test_full_token_is_accepted_on_every_method(guarded: aio.Channel, path: str, method: Any) -> None:
    assert code_of(await outcome(guarded, path, method, bearer(FULL), within=LET_IN)) not in {UNAUTHENTICATED, DENIED}


@pytest.mark.parametrize("path, method", METHODS)
async def test_malformed_request_is_invalid_argument(
    channel: aio.Channel, supervisor: Any, path: str, method: Any
) -> None:
    refused = await outcome(channel, path, method, request=b"\xff\xff\xff")
    assert (code_of(refused), reason_of(refused)) == (INVALID, "MALFORMED_REQUEST")
    assert refused.details() == f"these bytes are not a request of {path[1:]}"
    assert supervisor.asked == []


async def test_unknown_method_is_unimplemented_with_a_token_only(guarded: aio.Channel) -> None:
    call: Any = guarded.unary_unary("/answerback.v1.ConfigService/NewMethod")
    for metadata, code in (((), UNAUTHENTICATED), (bearer(READ), grpc.StatusCode.UNIMPLEMENTED)):
        with pytest.raises(aio.AioRpcError) as caught:
            await call(b"", metadata=metadata)
        assert caught.value.code() == code


async def test_replaced_token_file_applies_to_the_next_call(guarded: aio.Channel, files: dict[str, Path]) -> None:
    stub: Any = ConfigServiceStub(guarded)
    await stub.GetConfig(GetConfigRequest(), metadata=bearer(FULL))
    files["token_file"].write_text(WRONG)
    await stub.GetConfig(GetConfigRequest(), metadata=bearer(WRONG))
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.GetConfig(GetConfigRequest(), metadata=bearer(FULL))
    assert caught.value.code() == UNAUTHENTICATED


async def test_revoked_token_ends_its_watches(guarded: aio.Channel, supervisor: Any, files: dict[str, Path]) -> None:
    stub: Any = HealthStub(guarded)
    watch = stub.Watch(HealthCheckRequest(service="readiness"), metadata=bearer(READ))
    await watch.read()
    files["read_token_file"].write_text(WRONG)
    supervisor.health.set("draining", ["hello"])
    assert await watch.code() == UNAUTHENTICATED


async def test_rejected_token_is_logged_without_its_value(
    guarded: aio.Channel, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "answerback")
    stub: Any = ConfigServiceStub(guarded)
    for metadata in (bearer(WRONG), bearer(READ)):
        with pytest.raises(aio.AioRpcError):
            await stub.UpdateConfig(UpdateConfigRequest(), metadata=metadata)
    messages = [
        "call rejected: the token is unknown or has been replaced",
        "call rejected: the token allows only read access, and UpdateConfig changes something",
    ]
    assert [record.message for record in caplog.records] == messages
    for record in caplog.records:
        said = vars(record)
        assert said["method"] == "/answerback.v1.ConfigService/UpdateConfig"
        assert said["peer"].startswith("ipv4:127.0.0.1:")
        assert WRONG not in str(said)
        assert READ not in str(said)


@pytest.mark.parametrize("metadata, code", [((), UNAUTHENTICATED), (bearer(FULL), TOO_MUCH)], ids=["stranger", "known"])
async def test_oversized_message_is_rejected_and_other_calls_are_answered(
    guarded: aio.Channel, supervisor: Any, metadata: Any, code: grpc.StatusCode
) -> None:
    stub: Any = ConfigServiceStub(guarded)
    too_much = UpdateConfigRequest(comment="x" * (MAX_CONFIG_BYTES + (64 << 10)))
    waiting = [asyncio.ensure_future(cast(Any, stub.GetConfig(GetConfigRequest(), metadata=bearer(READ))))]
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.UpdateConfig(too_much, metadata=metadata)
    assert caught.value.code() == code
    waiting.append(stub.GetConfig(GetConfigRequest(), metadata=bearer(READ)))
    assert [(await answer).revision for answer in waiting] == [7, 7]
    assert supervisor.asked == []


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kind, int], None]:
    """Limit the calls of a kind, for servers that are made afterwards."""

    def allow(kind: Kind, most: int) -> None:
        monkeypatch.setattr(server, "Limits", lambda: Limits({**MOST, kind: most}))

    return allow


async def test_watches_beyond_the_limit_are_rejected_and_other_calls_answered(supervisor: Any, few: Any) -> None:
    few(Kind.WATCH, 3)
    async with serving(supervisor) as channel:
        stub: Any = ConfigServiceStub(channel)
        watches = [stub.WatchConfig(WatchConfigRequest()) for _ in range(3)]
        for watch in watches:
            await watch.initial_metadata()
        refused = stub.WatchConfig(WatchConfigRequest())
        with pytest.raises(aio.AioRpcError) as caught:
            await refused.read()
        assert (caught.value.code(), reason_of(caught.value)) == (TOO_MUCH, "TOO_MANY_CALLS")
        assert caught.value.details() == "3 watches at a time is the maximum; try again later"
        assert (await stub.GetConfig(GetConfigRequest())).revision == 7
        health: Any = HealthStub(channel)
        await health.Check(HealthCheckRequest())
        await health.Watch(HealthCheckRequest()).read()
        watches.pop().cancel()

        while True:  # until the place is free: the server learns of it later
            again = stub.WatchConfig(WatchConfigRequest())
            await again.initial_metadata()
            if not again.done():
                break
            assert await again.code() == TOO_MUCH
        again.cancel()
        for watch in watches:
            watch.cancel()


async def test_health_watches_beyond_the_limit_do_not_affect_check(supervisor: Any, few: Any) -> None:
    few(Kind.HEALTH_WATCH, 2)
    async with serving(supervisor) as channel:
        health: Any = HealthStub(channel)
        watches = [health.Watch(HealthCheckRequest()) for _ in range(2)]
        for watch in watches:
            await watch.read()
        with pytest.raises(aio.AioRpcError) as caught:
            await health.Watch(HealthCheckRequest()).read()
        assert caught.value.code() == TOO_MUCH
        for _ in range(20):
            await health.Check(HealthCheckRequest())
        for watch in watches:
            watch.cancel()


async def endless(*_: Any) -> AsyncIterator[bytes]:
    while True:
        yield bytes(1 << 16)


async def test_client_that_stops_reading_and_cancels_frees_its_place() -> None:
    guard = Guard(Tokens(), Limits({**MOST, Kind.CHANGE: 1}))
    handlers = {"Endless": grpc.unary_stream_rpc_method_handler(endless, bytes, bytes)}
    server = aio.server(interceptors=[guard])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_stream("/test.Service/Endless")
        reader = call(b"")
        await reader.read()  # and no more, although more comes
        with pytest.raises(aio.AioRpcError, match="1 changes at a time"):
            await call(b"").read()
        reader.cancel()
        while True:  # the server learns of it later
            again = call(b"")
            with suppress(aio.AioRpcError):
                assert await again.read()
                break
        again.cancel()
    await server.stop(None)


def fail(_: Any) -> Any:
    raise KeyError("secret")


async def fail_at_once(request: Any, _: Any) -> Any:
    fail(request)


async def fail_later(request: Any, _: Any) -> AsyncIterator[bytes]:
    yield b"first"
    fail(request)


async def answer(*_: Any) -> bytes:
    return b"answer"


class Broken(Tokens):
    """Fails before there is a method to call."""

    def authenticate(self, _: Any) -> Permit:
        raise KeyError("secret")


HANDLERS = {
    "Raises": grpc.unary_unary_rpc_method_handler(fail_at_once, bytes, bytes),
    "RaisesLater": grpc.unary_stream_rpc_method_handler(fail_later, bytes, bytes),
    "CannotSerialise": grpc.unary_unary_rpc_method_handler(answer, bytes, fail),
}


@pytest.mark.parametrize(
    "name, tokens", [*((name, Tokens()) for name in HANDLERS), ("Raises", Broken())], ids=[*HANDLERS, "Broken"]
)
async def test_unexpected_handler_error_is_hidden_from_the_client(
    name: str, tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    server = aio.server(interceptors=[Guard(tokens, Limits())])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", HANDLERS),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_stream(f"/test.Service/{name}")
        with pytest.raises(aio.AioRpcError) as caught:
            _ = [each async for each in call(b"")]
    await server.stop(None)
    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(caught.value)
    (record,) = caplog.records
    assert record.message == f"{caught.value.details()} in /test.Service/{name}"
    assert record.exc_info is not None


class HungUp:
    """The context of a call whose client has hung up."""

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def peer_identities(self) -> None:
        return None

    async def read(self) -> bytes:
        return b""

    async def write(self, _: bytes) -> None:
        raise aio.InternalError("failed")


async def test_client_that_cancels_a_call_is_logged_at_debug_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    handler = grpc.unary_unary_rpc_method_handler(answer, bytes, bytes)
    details: Any = SimpleNamespace(method="/test.Service/Method", invocation_metadata=())

    async def found(_: Any) -> Any:
        return handler

    guarded: Any = await Guard(Tokens(), Limits()).intercept_service(found, details)
    with pytest.raises(asyncio.CancelledError):
        await guarded.stream_stream(None, HungUp())
    said = [(record.levelname, record.message) for record in caplog.records if not record.exc_info]
    assert ("DEBUG", "the client disconnected during /test.Service/Method") in said
    assert [name for name, _ in said if name != "DEBUG"] == []


@pytest.mark.parametrize(
    "error, kept", [(aio.InternalError("batch"), False), (KeyError("ours"), True), (None, True)], ids=str
)
def test_grpc_log_of_hang_ups_is_filtered_out(error: Exception | None, kept: bool) -> None:
    information = (type(error), error, None) if error else None
    record = logging.LogRecord("grpc._cython.cygrpc", logging.ERROR, "", 0, "raised", (), information)
    assert HangUps().filter(record) is kept


@pytest.mark.usefixtures("admin")
async def test_grpc_log_filters_out_cancelled_calls() -> None:
    filters = logging.getLogger("grpc._cython.cygrpc").filters
    assert [type(each) for each in filters] == [HangUps]
