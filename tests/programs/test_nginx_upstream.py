"""nginx as an upstream with TLS: what it sees of the relay, and sessions that it resumes."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.certifying import Authority
from tests.ports import free_port
from tests.programs.conftest import RunningServer, running, serving
from tests.waiting import eventually

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = [pytest.mark.programs, pytest.mark.skipif(NGINX is None, reason="needs nginx")]

# $ssl_session_reused is `r` for a session that was resumed, and `.` otherwise.
SITE = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  ssl_certificate {certificate};
  ssl_certificate_key {key};
  ssl_client_certificate {authority};
  ssl_verify_client on;
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{port} ssl proxy_protocol;
    return 200 "$ssl_server_name $ssl_protocol $ssl_client_verify $proxy_protocol_addr $ssl_session_reused";
  }}
}}
"""
LISTENERS = """\
listeners:
  - name: callback
    address: 127.0.0.1:{callback}
    engine: callback
    upstream:
      address: localhost:{port}
      proxy_protocol: V1
      tls: {{ca: {authority}, cert: {client}, key: {client_key}}}
  - name: coroutine
    address: 127.0.0.1:{coroutine}
    engine: coroutine
    upstream:
      address: localhost:{port}
      proxy_protocol: V2
      tls: {{ca: {authority}, cert: {client}, key: {client_key}, min_version: TLS_1_3}}
"""


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Those of the relays, by engine."""
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    authority = Authority(folder)
    issued, client = authority.issue(), authority.issue("client", "client.test")
    port, relays = free_port(), {"callback": free_port(), "coroutine": free_port()}
    files = {"certificate": issued.certificate, "key": issued.key, "authority": authority.certificate}
    (folder / "nginx.conf").write_text(SITE.format(folder=folder, port=port, **files))
    config = LISTENERS.format(
        port=port, authority=authority.certificate, client=client.certificate, client_key=client.key, **relays
    )
    with ExitStack() as stack:
        command = [str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
        stack.enter_context(running(command, folder / "nginx.log"))
        eventually(lambda: socket.create_connection(("127.0.0.1", port), 5)).close()
        stack.enter_context(serving(RunningServer(0, free_port(), free_port()), config, folder))
        yield relays


def get(port: int) -> str:
    """What nginx says of the connection."""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    return body.decode()


@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_nginx_verifies_the_relay_sees_the_client_and_resumes(ports: dict[str, int], engine: str) -> None:
    seen = [get(ports[engine]) for _ in range(6)]
    assert {each[:-1] for each in seen} == {"localhost TLSv1.3 SUCCESS 127.0.0.1 "}
    first_of_workers = [each for each in seen if each.endswith(".")]
    assert len(first_of_workers) in (1, 2)
    assert sum(each.endswith("r") for each in seen) == len(seen) - len(first_of_workers)
