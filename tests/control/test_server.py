"""The gRPC server: where it listens, and addresses that it rejects."""

import socket
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
from grpc import aio

from answerback.control import schema
from answerback.control.address import parse
from answerback.control.credentials import Protection
from answerback.control.server import AdminServer
from answerback.supervisor import StartError, Supervisor
from answerback.v1.config_service_pb2 import GetConfigRequest
from answerback.v1.config_service_pb2_grpc import ConfigServiceStub


def server_at(supervisor: Any, address: str, **given: Any) -> AdminServer:
    return AdminServer(cast(Supervisor, supervisor), parse(address), Protection(**given))


async def revision_at(address: str) -> int:
    async with aio.insecure_channel(address) as channel:
        stub: Any = ConfigServiceStub(channel)
        answer = await stub.GetConfig(GetConfigRequest())
        revision: int = answer.revision
        return revision


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
async def test_admin_server_reports_the_port_it_listens_on(supervisor: Any, address: str) -> None:
    server = server_at(supervisor, address)
    assert not server.address.endswith(":0")
    await server.start()
    assert await revision_at(server.address) == 7
    await server.stop()


async def test_admin_server_listens_on_a_unix_socket(supervisor: Any, tmp_path: Path) -> None:
    server = server_at(supervisor, f"unix:{tmp_path}/admin")
    assert server.address == f"unix:{tmp_path}/admin"
    await server.start()
    assert await revision_at(server.address) == 7
    with pytest.raises(StartError, match="another process listens on it"):
        server_at(supervisor, f"unix:{tmp_path}/admin")
    assert await revision_at(server.address) == 7
    await server.stop()


async def test_admin_port_in_use_is_a_start_error(supervisor: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartError) as caught:
            server_at(supervisor, address)
    assert str(caught.value) == f"--admin {address}: Address already in use"


async def test_admin_servers_do_not_share_a_port(supervisor: Any, admin: AdminServer) -> None:
    with pytest.raises(StartError, match="Address already in use"):
        server_at(supervisor, admin.address)


async def test_admin_address_of_another_machine_is_a_start_error(supervisor: Any) -> None:
    with pytest.raises(StartError) as caught:
        server_at(supervisor, "192.0.2.1:50051", admin_insecure=True)
    assert str(caught.value) == "--admin 192.0.2.1:50051: Cannot assign requested address"


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051"])
async def test_admin_server_on_remote_address_without_guard_does_not_start(supervisor: Any, address: str) -> None:
    with pytest.raises(StartError) as caught:
        server_at(supervisor, address)
    assert str(caught.value).startswith(f"--admin {address}: the admin API would be reachable from other machines")
    assert "--admin-insecure" in str(caught.value)


async def test_admin_server_with_admin_insecure_listens_everywhere(supervisor: Any) -> None:
    server = server_at(supervisor, "0.0.0.0:0", admin_insecure=True)
    await server.start()
    port = server.address.rpartition(":")[2]
    assert await revision_at(f"127.0.0.1:{port}") == 7
    await server.stop()


@pytest.mark.parametrize(
    "address, asked, shown",
    [("127.0.0.1:0", False, True), ("127.0.0.1:0", True, True), ("0.0.0.0:0", False, False), ("0.0.0.0:0", True, True)],
)
async def test_reflection_on_remote_address_is_off_unless_requested(
    supervisor: Any, address: str, asked: bool, shown: bool
) -> None:
    protection = Protection(admin_insecure=True)
    server = AdminServer(cast(Supervisor, supervisor), parse(address), protection, reflection=asked)
    await server.start()
    async with aio.insecure_channel(server.address.replace("0.0.0.0", "127.0.0.1")) as channel:
        ask: Any = channel.unary_unary(
            "/grpc.health.v1.Health/List", response_deserializer=schema.HealthListResponse.FromString
        )
        services = {name for name in (await ask(b"")).statuses if "." in name}
        assert services == set(schema.SERVICES if shown else schema.WITHOUT_REFLECTION)
        for name in schema.REFLECTION:
            reflect: Any = channel.unary_stream(f"/{name}/ServerReflectionInfo")
            with nullcontext() if shown else pytest.raises(aio.AioRpcError, match="Method not found"):
                assert [each async for each in reflect(b"")]
    await server.stop()
