"""The connection to the admin API: credentials, and errors when it fails."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result

from answerback.cli import main
from answerback.control.authorisation import Unauthenticated
from answerback.supervisor import Stopping
from answerback.v1 import config_service_pb2
from answerback.v1.config_service_pb2 import GetConfigResponse
from tests.certifying import LONG_AGO, Authority, Issued
from tests.cli.conftest import Api

TOKEN = "token" * 8


class Shown(grpc.ServerInterceptor):
    """Keeps the tokens that calls bring."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        self.tokens += [value for key, value in details.invocation_metadata if key == "authorization"]
        return continuation(details)


Serve = Callable[..., tuple[str, Shown]]


@pytest.fixture
def serve(api: Api) -> Iterator[Serve]:
    """Serve the API with these options; yields its address and the tokens that it receives."""
    servers = []
    api.answers["GetConfig"] = GetConfigResponse(revision=1)

    def start(credentials: Any = None, address: str = "127.0.0.1:0") -> tuple[str, Shown]:
        shown = Shown()
        server = grpc.server(ThreadPoolExecutor(1), interceptors=[shown], options=[("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((api.serves(config_service_pb2.DESCRIPTOR.services_by_name["ConfigService"]),))
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        server.start()
        servers.append(server)
        return address.replace(":0", f":{port}"), shown

    yield start
    for server in servers:
        server.stop(None).wait()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def issued(authority: Authority) -> Issued:
    return authority.issue()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def tls(issued: Issued, client_ca: Path | None = None) -> grpc.ServerCredentials:
    pair = issued.key.read_bytes(), issued.certificate.read_bytes()
    return grpc.ssl_server_credentials([pair], client_ca.read_bytes() if client_ca else None, client_ca is not None)


def show(server: str, *args: object) -> Result:
    return CliRunner().invoke(main, ["show", "--server", server, *map(str, args)])


def problem(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr.removeprefix("Error: ").rstrip("\n")


def test_token_is_sent_without_tls_to_loopback_and_unix_sockets(serve: Serve, token_file: Path, tmp_path: Path) -> None:
    for address in ("127.0.0.1:0", f"unix:{tmp_path}/admin"):
        server, shown = serve(address=address)
        assert show(server, "--token-file", token_file).exit_code == 0
        assert shown.tokens == [f"Bearer {TOKEN}"]


def test_token_is_sent_with_streaming_calls(serve: Serve, token_file: Path, api: Api) -> None:
    api.answers["WatchConfig"] = [Stopping()]
    server, shown = serve()
    CliRunner().invoke(main, ["watch", "--server", server, "--token-file", str(token_file)])
    assert shown.tokens == [f"Bearer {TOKEN}"]


def test_token_is_not_sent_to_a_proxy(serve: Serve, token_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server, shown = serve()
    assert show(server, "--token-file", token_file).exit_code == 0
    assert shown.tokens == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("server", ["192.0.2.1:50051", "answerback:50051", "dns:///localhost:50051", "0.0.0.0:50051"])
def test_token_is_not_sent_to_remote_server_without_tls(server: str, token_file: Path) -> None:
    assert problem(show(server, "--token-file", token_file)) == (
        f"refusing to send a token (--token-file) to {server} in clear text: use TLS (--ca), loopback or a Unix socket"
    )


def test_token_is_sent_to_remote_server_over_tls(
    serve: Serve, authority: Authority, issued: Issued, token_file: Path
) -> None:
    server, shown = serve(tls(issued))
    name = server.replace("127.0.0.1", "localhost")
    assert show(server, "--ca", authority.certificate, "--token-file", token_file).exit_code == 0
    assert show(f"dns:///{name}", "--ca", authority.certificate, "--token-file", token_file).exit_code == 0
    assert shown.tokens == [f"Bearer {TOKEN}"] * 2


def test_client_certificate_is_sent_over_tls(serve: Serve, authority: Authority, issued: Issued) -> None:
    server, _ = serve(tls(issued, authority.certificate))
    own = authority.issue("client", "somebody")
    result = show(server, "--ca", authority.certificate, "--cert", own.certificate, "--key", own.key)
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "content, reason",
    [("", "is empty"), ("short", "the token has 5 bytes, fewer than 32"), (None, "No such file or directory")],
)
def test_token_file_missing_or_invalid_is_a_usage_problem(token_file: Path, content: str | None, reason: str) -> None:
    if content is None:
        token_file.unlink()
    else:
        token_file.write_text(content)
    said = problem(show("127.0.0.1:1", "--token-file", token_file))
    assert said.startswith(f"--token-file {token_file}: {reason}")


def test_certificate_options_missing_or_invalid_are_usage_problems(
    authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    bad, other = tmp_path / "bad", authority.issue("other")
    bad.write_text("hello")
    cert, key = issued.certificate, issued.key
    together = "--cert and --key must be used together"
    for args, said in (
        (("--ca", bad), f"--ca {bad}: contains no PEM certificate"),
        (("--cert", cert), together),
        (("--key", key), together),
        (("--cert", bad, "--key", key), f"--cert {bad}: contains no PEM certificate"),
        (("--cert", cert, "--key", bad), f"--cert {bad}: contains no PEM private key without a passphrase"),
        (
            ("--cert", cert, "--key", other.key),
            f"--cert {other.key}: does not belong to the first certificate in {cert}",
        ),
    ):
        assert problem(show("127.0.0.1:1", *args)) == said


SERVER_WRONG = "The server's certificate is not signed by a CA in --ca, is expired, or is for another name."
CLIENT_WRONG = "The server may not use TLS, or may require another client certificate (--cert, --key)."
PLAIN_WRONG = "The server may require TLS: set --ca to the CA that signed its certificate."


def test_server_with_wrong_certificate_is_rejected_with_advice(
    serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    for issued, believed in (
        (authority.issue(), stranger),
        (authority.issue(not_after=LONG_AGO), authority),
        (authority.issue("elsewhere", "192.0.2.1"), authority),
    ):
        server, _ = serve(tls(issued))
        first, second = problem(show(server, "--ca", believed.certificate)).splitlines()
        assert first.startswith(f"no Answerback server at {server}: ")
        assert second == SERVER_WRONG


def test_client_with_wrong_certificate_is_rejected_with_advice(
    serve: Serve, authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    server, _ = serve(tls(issued, authority.certificate))
    stranger, old = Authority(tmp_path, "stranger").issue(), authority.issue("old", not_after=LONG_AGO)
    ca = ("--ca", authority.certificate)
    for args in (
        ca,
        (*ca, "--cert", stranger.certificate, "--key", stranger.key),
        (*ca, "--cert", old.certificate, "--key", old.key),
    ):
        assert problem(show(server, *args)).splitlines()[1] == CLIENT_WRONG


def test_tls_on_one_side_only_fails_with_advice(serve: Serve, authority: Authority, issued: Issued) -> None:
    server, _ = serve(tls(issued))
    assert problem(show(server)).splitlines()[1] == PLAIN_WRONG
    server, _ = serve()
    assert problem(show(server, "--ca", authority.certificate)).splitlines()[1] == CLIENT_WRONG


def test_command_without_needed_token_names_the_token_file_option(cli: Any, api: Api) -> None:
    api.answers["GetConfig"] = Unauthenticated("a token is needed")
    assert problem(cli("show")).splitlines() == [
        f"127.0.0.1:{api.port}: a token is needed",
        "Set --token-file or ANSWERBACK_TOKEN_FILE to the file with the token.",
    ]
