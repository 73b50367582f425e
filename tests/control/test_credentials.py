"""Protection of the admin API: without it, other machines get no access."""

import logging
import secrets
from pathlib import Path
from typing import Any

import pytest

from answerback.control.address import parse
from answerback.control.credentials import UNGUARDED, Protection, load
from answerback.supervisor import StartError
from tests.certifying import Authority

LOOPBACK, EVERYWHERE = parse("127.0.0.1:50051"), parse("0.0.0.0:50051")
PRIVATE = [LOOPBACK, parse("[::1]:1"), parse("localhost:1"), parse("unix:/run/answerback.sock")]
EXPOSED = [EVERYWHERE, parse("[::]:1"), parse("192.0.2.1:1"), parse("[2001:db8::1]:1")]


def text_of(address: Any) -> str:
    return str(address.text)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """Everything there is to give, and nothing wrong with it."""
    authority = Authority(tmp_path)
    issued = authority.issue()
    found = {"admin_cert": issued.certificate, "admin_key": issued.key, "admin_client_ca": authority.certificate}
    for name in ("token_file", "read_token_file"):
        found[name] = tmp_path / name
        found[name].write_text(secrets.token_hex(32))
        found[name].chmod(0o600)
    return found


def only(given: dict[str, Any], *names: str) -> Protection:
    return Protection(**{name: given[name] for name in names})


def why(protection: Protection, address: Any = LOOPBACK) -> list[str]:
    with pytest.raises(StartError) as caught:
        load(protection, address)
    return str(caught.value).splitlines()


@pytest.mark.parametrize("address", PRIVATE, ids=text_of)
def test_admin_api_on_loopback_needs_no_guard(address: Any, caplog: pytest.LogCaptureFixture) -> None:
    found = load(Protection(), address)
    assert (found.tokens.full, found.tokens.read, found.server) == (None, None, None)
    assert caplog.messages == []


@pytest.mark.parametrize("address", EXPOSED, ids=text_of)
def test_admin_api_on_remote_address_without_guard_is_rejected(address: Any, given: dict[str, Any]) -> None:
    for protection in (Protection(), only(given, "admin_cert", "admin_key")):  # TLS says who we are, not who they are
        assert why(protection, address) == [UNGUARDED.format(address.text)]


@pytest.mark.parametrize(
    "names",
    [
        ("admin_cert", "admin_key", "admin_client_ca"),
        ("admin_cert", "admin_key", "token_file"),
        ("admin_cert", "admin_key", "read_token_file"),
        ("admin_cert", "admin_key", "admin_client_ca", "token_file", "read_token_file"),
    ],
)
def test_admin_api_everywhere_is_guarded_by_each_kind_of_credential(
    given: dict[str, Any], names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    found = load(only(given, *names), EVERYWHERE)
    assert found.server is not None
    assert (bool(found.tokens.full), bool(found.tokens.read)) == ("token_file" in names, "read_token_file" in names)
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_token_without_tls_on_remote_address_is_warned_of(
    given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    load(only(given, "token_file"), LOOPBACK)
    assert caplog.messages == []
    load(only(given, "token_file"), EVERYWHERE)
    assert caplog.messages == ["tokens would be sent in clear text: set --admin-cert and --admin-key"]


def test_admin_insecure_on_remote_address_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    load(Protection(admin_insecure=True), LOOPBACK)
    assert caplog.messages == []
    load(Protection(admin_insecure=True), EVERYWHERE)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages == [
        "the admin API at 0.0.0.0:50051 has no authentication: anyone who reaches it has full control of the server"
    ]


@pytest.mark.parametrize(
    "names, problem",
    [
        (("admin_cert",), "--admin-cert and --admin-key must be used together"),
        (("admin_key",), "--admin-cert and --admin-key must be used together"),
        (
            ("admin_client_ca",),
            "--admin-client-ca requires --admin-cert and --admin-key",
        ),
    ],
)
def test_incomplete_credential_options_are_rejected(
    given: dict[str, Any], names: tuple[str, ...], problem: str
) -> None:
    assert why(only(given, *names)) == [problem]


def test_same_token_for_both_roles_is_rejected(given: dict[str, Any]) -> None:
    given["read_token_file"].write_text(given["token_file"].read_text() + "\n")
    assert why(Protection(**given)) == [
        "--read-token-file: it must differ from the token of --token-file, which has full access"
    ]


def test_all_credential_problems_are_reported_together(given: dict[str, Any]) -> None:
    given["token_file"].write_text("")
    given["read_token_file"].write_text("short")
    given["admin_key"].unlink()
    first, second, third = why(Protection(**given), EVERYWHERE)
    assert first.startswith(f"--token-file {given['token_file']}: is empty")
    assert second.startswith(f"--read-token-file {given['read_token_file']}: the token has 5 bytes")
    assert third == f"TLS of the admin API: {given['admin_key']}: No such file or directory"
