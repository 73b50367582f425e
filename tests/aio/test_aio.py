"""The asyncio client's own connection: its credentials, and its loop."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from answerback import aio
from answerback.client import BadCredentials
from answerback.v1 import config_service_pb2
from answerback.v1.config_service_pb2 import GetConfigResponse
from tests.certifying import Authority
from tests.cli.conftest import Api, api
from tests.client.test_channel import Shown

__all__ = ("api",)

TOKEN = "token" * 8


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve(api: Api) -> Iterator[Any]:
    servers = []
    api.answers["GetConfig"] = GetConfigResponse(revision=1)

    def start(credentials: Any = None) -> tuple[str, Shown]:
        shown = Shown()
        server = grpc.server(ThreadPoolExecutor(1), interceptors=[shown], options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((api.serves(config_service_pb2.DESCRIPTOR.services_by_name["ConfigService"]),))
        port = (
            server.add_secure_port("127.0.0.1:0", credentials)
            if credentials
            else server.add_insecure_port("127.0.0.1:0")
        )
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}", shown

    yield start
    for server in servers:
        server.stop(None).wait()


async def test_token_is_sent_with_each_call(serve: Any) -> None:
    server, shown = serve()
    async with aio.Client(server, token=TOKEN) as client:
        assert (await client.get_config()).revision == 1
        assert (await client.get_config()).revision == 1
    assert shown.tokens == [f"Bearer {TOKEN}"] * 2


async def test_mutual_tls_with_a_token_file(serve: Any, authority: Authority, tmp_path: Path) -> None:
    issued, own = authority.issue(), authority.issue("client", "somebody")
    pair = issued.key.read_bytes(), issued.certificate.read_bytes()
    server, shown = serve(grpc.ssl_server_credentials([pair], authority.certificate.read_bytes(), True))
    file = tmp_path / "token"
    file.write_text(TOKEN)
    given: dict[str, Any] = {"ca": authority.certificate, "cert": own.certificate, "key": str(own.key)}
    async with aio.Client(server, token_file=file, **given) as client:
        assert (await client.get_config()).revision == 1
    assert shown.tokens == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    "given, said",
    [
        ({"server": "192.0.2.1:1", "token": TOKEN}, "refusing to send a token (token) to 192.0.2.1:1 in clear text: "),
        ({"server": "192.0.2.1:1", "token_file": "{}/t"}, "token_file {}/t: No such file or directory"),
        ({"cert": "x"}, "cert and key must be used together"),
        ({"ca": "{}/ca"}, "ca {}/ca: No such file or directory"),
    ],
)
def test_credentials_that_cannot_be_used_are_named(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(BadCredentials) as error:
        aio.Client(**{name: value.format(tmp_path) for name, value in given.items()})  # type: ignore[arg-type]
    assert str(error.value).startswith(said.format(tmp_path))


async def test_client_that_was_never_used_is_closed() -> None:
    client = aio.Client("127.0.0.1:1")
    await client.close()
