"""A protected admin API with real processes, clients and files: access, and rotation without a restart."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from answerback.cli.client import connected
from answerback.cli.credentials import Credentials
from tests.certifying import Authority, Issued, become
from tests.system.conftest import CALL_SECONDS, ECHO, RunningServer, Start

pytestmark = pytest.mark.long

FULL, READ, OTHER = "full" * 8, "read" * 8, "other" * 8
EVERYWHERE = "0.0.0.0:0"


@dataclass(frozen=True)
class Keys:
    """Files of everything that can be asked for."""

    authority: Authority
    server: Issued
    client: Issued
    full: Path
    read: Path

    def serve(self, *names: str) -> list[str]:
        """Options of `serve`."""
        values = {
            "admin-cert": self.server.certificate,
            "admin-key": self.server.key,
            "admin-client-ca": self.authority.certificate,
            "token-file": self.full,
            "read-token-file": self.read,
        }
        return [each for name in names for each in (f"--{name}", str(values[name]))]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    folder = tmp_path / "keys"
    folder.mkdir()
    authority = Authority(folder)
    client = authority.issue("client", "deployer.example", common_name="deployer")
    full, read = (written(folder / name, token) for name, token in (("full", FULL), ("read", READ)))
    return Keys(authority, authority.issue(), client, full, read)


def written(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


def local(running: RunningServer) -> str:
    """Where the admin API is reached from here."""
    return running.admin.replace("0.0.0.0", "127.0.0.1")


def revision(running: RunningServer, shown: Credentials) -> int:
    with connected(local(running), CALL_SECONDS, shown) as client:
        return client.get_config().revision


def command(running: RunningServer, *args: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return running.cli(*args, "--server", local(running), stdin=stdin)


def test_admin_api_on_remote_address_needs_the_token(start_server: Start, keys: Keys) -> None:
    running = start_server(ECHO, "--admin", EVERYWHERE, *keys.serve("token-file", "read-token-file"))
    change = ECHO.replace("[echo]", "[echo, close]")
    token, look = ("--token-file", str(keys.full)), ("--token-file", str(keys.read))

    for args, code, said in (
        ((), 1, "a token is required"),
        (("--token-file", str(written(keys.read.with_name("wrong"), OTHER))), 1, "unknown or has been replaced"),
        (look, 1, "the token allows only read access, and UpdateConfig changes something"),
        (token, 0, ""),
    ):
        result = command(running, "apply", "-", *args, stdin=change)
        assert result.returncode == code, result.stderr
        assert said in result.stderr
    assert json.loads(command(running, "show", "-o", "json", *look).stdout)["listeners"]
    assert command(running, "status", *look).returncode == 0
    assert command(running, "listeners", *look, "get", "echo").returncode == 0
    (line,) = running.told(message="revision 2 is active", logger="audit")
    assert line["identity"] == "token"
    newest = json.loads(command(running, "history", "-o", "json", *look).stdout)["revisions"][0]
    assert (int(newest["number"]), newest["identity"]) == (2, "token")
    assert running.stop() == 0
    log = running.log.read_text()
    assert [token for token in (FULL, READ, OTHER) if token in log] == []


def test_admin_api_on_remote_address_accepts_a_client_certificate(start_server: Start, keys: Keys) -> None:
    running = start_server(ECHO, "--admin", EVERYWHERE, *keys.serve("admin-cert", "admin-key", "admin-client-ca"))
    trust = ("--ca", str(keys.authority.certificate))
    own = ("--cert", str(keys.client.certificate), "--key", str(keys.client.key))
    refused = command(running, "status", *trust)
    assert refused.returncode == 1
    assert "may require another client certificate (--cert, --key)" in refused.stderr
    applied = command(running, "apply", "-", *trust, *own, stdin=ECHO.replace("[echo]", "[echo, close]"))
    assert applied.returncode == 0, applied.stderr
    (line,) = running.told(message="revision 2 is active", logger="audit")
    assert line["identity"] == "deployer.example"
    assert running.stop() == 0
    assert "PRIVATE KEY" not in running.log.read_text()


def test_serve_applies_a_replaced_token_file_to_the_next_call(start_server: Start, keys: Keys) -> None:
    running = start_server(ECHO, *keys.serve("token-file"))
    mine = written(keys.full.with_name("mine"), FULL)
    assert revision(running, Credentials(token_file=mine)) == 1
    written(keys.full.with_name("new"), OTHER).rename(keys.full)
    assert revision(running, Credentials(token_file=keys.full)) == 1
    assert command(running, "show", "--token-file", str(mine)).returncode == 1
    keys.full.write_text("")  # as it is while it is being rewritten
    assert revision(running, Credentials(token_file=written(mine, OTHER))) == 1
    (line,) = running.told(level="ERROR")
    assert line["message"].startswith(f"the token before is still used: {keys.full}: is empty")


def test_new_certificate_applies_to_the_next_connection_and_open_ones_continue(
    start_server: Start, keys: Keys, tmp_path: Path
) -> None:
    running = start_server(ECHO, *keys.serve("admin-cert", "admin-key", "admin-client-ca"))
    before = Credentials(ca=keys.authority.certificate, cert=keys.client.certificate, key=keys.client.key)
    following = Authority(tmp_path, "following")
    client = following.issue("client", "deployer.example")
    after = Credentials(ca=following.certificate, cert=client.certificate, key=client.key)
    with connected(local(running), CALL_SECONDS, before) as open_one:
        assert open_one.get_config().revision == 1
        become(keys.server, following.issue())
        keys.authority.certificate.with_suffix(".new").write_bytes(following.certificate.read_bytes())
        before_ca = written(tmp_path / "before.pem", keys.authority.certificate.read_text())
        keys.authority.certificate.with_suffix(".new").rename(keys.authority.certificate)
        assert revision(running, after) == 1
        assert open_one.get_config().revision == 1
    old = ("--ca", str(before_ca), "--cert", str(keys.client.certificate), "--key", str(keys.client.key))
    refused = command(running, "show", *old)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert running.stop() == 0


def test_failing_tls_clients_do_not_disturb_others(start_server: Start, keys: Keys) -> None:
    running = start_server(ECHO, *keys.serve("admin-cert", "admin-key", "token-file"))
    host, _, port = running.admin.rpartition(":")
    shown = Credentials(ca=keys.authority.certificate, token_file=keys.full)
    with connected(running.admin, CALL_SECONDS, shown) as client:
        for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", os.urandom(4096)):
            subprocess.run(["bash", "-c", f"cat > /dev/tcp/{host}/{port}"], input=garbage, check=False, timeout=30)
            assert client.get_config().revision == 1
    assert running.ask(b"hi\n") == b"hi"
    assert running.stop() == 0


def test_probes_need_no_token(start_server: Start, keys: Keys) -> None:
    running = start_server(ECHO, *keys.serve("admin-cert", "admin-key", "admin-client-ca", "token-file"))
    assert running.cli("health").returncode == 0


def test_commands_and_serve_read_the_same_token_file_variable(
    start_server: Start, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSWERBACK_TOKEN_FILE", str(keys.full))
    running = start_server(ECHO)
    assert running.cli("show").returncode == 0
    monkeypatch.delenv("ANSWERBACK_TOKEN_FILE")
    assert running.cli("show").returncode == 1


def test_token_or_key_file_open_to_all_is_warned_of(start_server: Start, keys: Keys) -> None:
    keys.full.chmod(0o644)
    keys.server.key.chmod(0o644)
    running = start_server(ECHO, *keys.serve("admin-cert", "admin-key", "token-file"))
    warned = running.told(2, level="WARNING")
    assert [line["message"] for line in warned] == [
        f"the token file {keys.full} is readable by all users of this machine: chmod o-r",
        f"the private key {keys.server.key} is readable by all users of this machine: chmod o-r",
    ]
