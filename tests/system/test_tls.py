"""TLS of a real server: what it refuses to start with, and many clients that do not finish their handshakes."""

import resource
import socket
import ssl
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.certifying import Authority
from tests.system.conftest import ANSWERBACK, Start
from tests.system.scraping import Metrics
from tests.waiting import eventually

pytestmark = pytest.mark.long

CONFIG = """\
listeners:
  - name: it
    address: 127.0.0.1:0
    framing: line
    tls: {cert: ca-server.pem, key: ca-server.key, handshake_timeout: TIMEOUT}
    rules:
      - do: [echo, send: "\\n"]
"""


def served(where: tuple[str, int], authority: Authority) -> bytes:
    """The answer to a client that speaks TLS."""
    context = ssl.create_default_context(cafile=str(authority.certificate))
    raw = socket.create_connection(where, timeout=20)
    with raw, context.wrap_socket(raw, server_hostname="localhost") as client:
        client.sendall(b"hello\n")
        return client.recv(100)


def hello() -> bytes:
    """The first bytes of a client."""
    outgoing = ssl.MemoryBIO()
    started = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        started.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_ten_thousand_half_open_handshakes_leave_others_served(
    start_server: Start, tmp_path: Path, engine: str
) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, most - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    authority = Authority(tmp_path)
    authority.issue()
    server = start_server(CONFIG.replace("TIMEOUT", "15s"), "--engine", engine)
    part = hello()[:200]
    with ExitStack() as stack:
        for number in range(count):
            client = stack.enter_context(socket.create_connection(server.where(), 20))
            client.sendall(part[: 1 + number % 200])
            if number % 1000 == 999:
                assert served(server.where(), authority) == b"hello\n"

        def ended() -> float:
            return Metrics.scrape(server.metrics).value(
                "connections_closed_total", listener="it", reason="tls_handshake"
            )

        eventually(lambda: ended() == count, within=60)
        assert served(server.where(), authority) == b"hello\n"


def test_server_does_not_start_with_a_wrong_file_and_says_where(tmp_path: Path) -> None:
    file = tmp_path / "answerback.yaml"
    file.write_text(CONFIG.replace("TIMEOUT", "1s"))
    command = (*ANSWERBACK, "serve", "--config", str(file), "--admin", "127.0.0.1:0")
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 1
    assert f"{file}:5:17: listeners[0].tls.cert: cannot be used: {tmp_path}/ca-server.pem: No such file" in found.stderr
