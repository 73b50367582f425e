"""The admin API of a container from outside: only a token or a certificate gives access."""

import json
import os
from pathlib import Path

import pytest

from tests.certifying import Authority, Issued
from tests.container.conftest import USER, Run, private
from tests.container.docker import ask, grpcurl, inside, published
from tests.waiting import eventually

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

GET = "answerback.v1.ConfigService/GetConfig"
UPDATE = "answerback.v1.ConfigService/UpdateConfig"
CHANGE = json.dumps(
    {
        "config": {
            "listeners": [
                {
                    "name": "hello",
                    "address": "0.0.0.0:8000",
                    "rules": [{"do": [{"send": {"text": "Changed."}}, {"close": {}}]}],
                }
            ]
        }
    }
)
TOKEN = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4


def admin(container: str) -> str:
    host, port = published(container, 50051)
    return f"{host}:{port}"


def bearer(token: str) -> tuple[str, ...]:
    return ("-plaintext", "-H", f"authorization: Bearer {token}")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder that the container's user reads."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    os.chown(folder, USER, USER)
    return folder


def guarded(run: Run, secrets: Path, *arguments: str) -> str:
    return run("serve", "--admin", "0.0.0.0:50051", *arguments, options=("--volume", f"{secrets}:/run/secrets:ro"))


def test_container_change_needs_the_token(run: Run, secrets: Path) -> None:
    private(secrets / "token", TOKEN)
    container = guarded(run, secrets, "--token-file", "/run/secrets/token")
    for other in (("-plaintext",), bearer(OTHER)):
        with pytest.raises(AssertionError, match="Unauthenticated"):
            grpcurl(*other, "-d", CHANGE, admin(container), UPDATE)
    assert ask(inside(container)) == b"Hello, World!"
    grpcurl(*bearer(TOKEN), "-d", CHANGE, admin(container), UPDATE)
    assert ask(inside(container)) == b"Changed."


def test_container_applies_a_replaced_token_file_to_the_next_call(run: Run, secrets: Path) -> None:
    private(secrets / "token", TOKEN)
    container = guarded(run, secrets, "--token-file", "/run/secrets/token")
    private(secrets / "new", OTHER).rename(secrets / "token")
    grpcurl(*bearer(OTHER), admin(container), GET)
    with pytest.raises(AssertionError, match="Unauthenticated"):
        grpcurl(*bearer(TOKEN), admin(container), GET)


def test_container_change_needs_a_client_certificate(run: Run, secrets: Path, tmp_path: Path) -> None:
    authority, stranger = Authority(secrets), Authority(tmp_path, "stranger")
    server = authority.issue()
    for path in (server.certificate, server.key, authority.certificate):
        os.chown(path, USER, USER)
    container = guarded(
        run,
        secrets,
        f"--admin-cert=/run/secrets/{server.certificate.name}",
        f"--admin-key=/run/secrets/{server.key.name}",
        f"--admin-client-ca=/run/secrets/{authority.certificate.name}",
    )

    def showing(issued: Issued) -> tuple[str, ...]:
        trusted = ("-cacert", str(authority.certificate))
        return (*trusted, "-cert", str(issued.certificate), "-key", str(issued.key), "-max-time", "10")

    for unknown in (("-cacert", str(authority.certificate)), showing(stranger.issue("client"))):
        with pytest.raises(AssertionError):
            grpcurl(*unknown, "-connect-timeout", "3", "-d", CHANGE, admin(container), UPDATE)
    assert ask(inside(container)) == b"Hello, World!"
    grpcurl(*showing(authority.issue("client")), "-d", CHANGE, admin(container), UPDATE)
    eventually(lambda: ask(inside(container)) == b"Changed.", what="the change is active")
