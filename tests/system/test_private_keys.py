"""A private key in the configuration of a server: it is in no output, and in one file that only its owner may read."""

import json
import socket
import ssl
import stat
import urllib.request
from pathlib import Path

from click.testing import CliRunner, Result

from answerback.cli import main
from tests.certifying import Authority, Issued
from tests.ports import free_port
from tests.system.conftest import RunningServer, Start

EMPTY = "listeners: [{name: other, address: '127.0.0.1:0'}]"


def configuration(issued: Issued, authority: Authority, port: int) -> str:
    """A listener with a key of its own, for a further name, and with its upstream."""
    certificate, key = json.dumps(issued.certificate.read_text()), json.dumps(issued.key.read_text())
    ca = json.dumps(authority.certificate.read_text())
    pair = f"cert_pem: {certificate}, key_pem: {key}"
    return f"""\
listeners:
  - name: it
    address: 127.0.0.1:{port}
    framing: line
    tls: {{{pair}, sni: [{{name: b.test, {pair}}}]}}
    rules: [{{do: [send: one, close]}}]
  - name: relay
    address: 127.0.0.1:0
    upstream: {{address: 127.0.0.1:{port}, tls: {{{pair}, ca_pem: {ca}}}}}
"""


class Commands:
    """Calls commands against a server, and keeps everything that they print."""

    def __init__(self, server: RunningServer) -> None:
        self._env = {"ANSWERBACK_SERVER": server.admin, "ANSWERBACK_METRICS": server.metrics}
        self.printed: list[str] = []

    def __call__(self, *args: str, stdin: str = "") -> Result:
        result = CliRunner(env=self._env).invoke(main, args, input=stdin)
        self.printed.append(f"{args}: {result.output}")
        return result


def answer(where: tuple[str, int], authority: Authority, name: str = "localhost") -> bytes:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.check_hostname = False
    with socket.create_connection(where, timeout=20) as raw, context.wrap_socket(raw, server_hostname=name) as client:
        client.sendall(b"hi\n")
        return client.recv(100)


def secret_lines(key: str) -> set[str]:
    """Lines of a key as outputs might have them: all but the first and the last."""
    return {line for line in key.splitlines()[1:-1] if len(line) > 20}


def test_no_output_has_a_key_and_the_state_is_private(start_server: Start, tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_port()
    issued, other = authority.issue(), authority.issue("other")
    state = tmp_path / "state"
    server = start_server(EMPTY, "--state", str(state), "--log-level", "debug", "--toxiproxy-api", "127.0.0.1:0")
    run = Commands(server)
    applied = run("apply", "-", "--yes", "-o", "json", stdin=configuration(issued, authority, port))
    assert applied.exit_code == 0, applied.output
    assert answer(("127.0.0.1", port), authority) == b"one"
    assert answer(("127.0.0.1", port), authority, "b.test") == b"one"
    with socket.create_connection(bound(run), 20) as client:
        client.sendall(b"hi\n")
        assert client.recv(100) == b"one"
    everything(run, configuration(issued, authority, port), configuration(other, authority, port))
    shown = run("show").output
    assert shown.count("redacted:") == 3
    again = run("apply", "-", "--yes", stdin=shown.replace("text: one\n", "text: two\n"))
    assert again.exit_code == 0, again.output
    assert answer(("127.0.0.1", port), authority) == b"two"
    assert run("apply", "-", "--yes", stdin=configuration(other, authority, port)).exit_code == 0
    assert run("rollback", "2").exit_code == 0
    assert answer(("127.0.0.1", port), authority) == b"one"
    refused = run("apply", "-", "--yes", stdin=shown.replace("redacted:", "redacted:0"))
    assert refused.exit_code == 1
    assert "listeners[0].tls.key_pem: cannot be used: it is redacted" in refused.output
    run.printed.append(urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=20).read().decode())
    assert server.stop() == 0
    printed = "\n".join([*run.printed, server.log.read_text()])
    for key in (issued.key.read_text(), other.key.read_text()):
        assert not {line for line in secret_lines(key) if line in printed}
    (database,) = (file for file in state.iterdir() if secret_lines(issued.key.read_text()) & lines_in(file))
    assert (stat.S_IMODE(database.stat().st_mode), stat.S_IMODE(state.stat().st_mode)) == (0o600, 0o700)


def bound(run: Commands) -> tuple[str, int]:
    """Where the relay listens."""
    listeners = json.loads(run("listeners", "list", "-o", "json").output)["listeners"]
    host, _, port = next(each["bound_address"] for each in listeners if each["name"] == "relay").rpartition(":")
    return host, int(port)


def lines_in(file: Path) -> set[str]:
    return set(file.read_bytes().decode("utf-8", "replace").splitlines())


def everything(run: Commands, own: str, other: str) -> None:
    """Call whatever shows something of a configuration."""
    for form in ("yaml", "json"):
        for command in (
            ("show",),
            ("show", "--revision", "2"),
            ("history",),
            ("status",),
            ("listeners", "get", "it"),
            ("explain", "--say", "hi\\n"),
            ("explain", "--say", "hi\\n", "--full", "--listener", "it"),
        ):
            assert run(*command, "-o", form).exit_code == 0, run.printed[-1]
    for name in ("status", "requests", "connections", "listeners"):
        assert run(name, "-o", "json").exit_code == 0, run.printed[-1]
    for text in (
        other,
        own.replace("cert_pem", "crt_pem"),
        own.replace("key_pem", "key_file"),
        own.replace("key_pem", "key"),
        own.replace("cert_pem", "cert"),
        own.replace("key_pem: ", "key_pem: !odd "),
        own.replace("PRIVATE", "PIRATE"),
    ):
        for way in (["diff"], ["apply", "--yes", "--dry-run"], ["check"], ["check", "-o", "json"]):
            result = run(*way, "-", stdin=text)
            assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
