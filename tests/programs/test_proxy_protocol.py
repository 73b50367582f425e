"""Real proxies that name their clients in PROXY headers: HAProxy with checks and TLVs, nginx, and curl."""

import json
import shutil
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certifying import Authority
from tests.ports import free_port
from tests.programs.conftest import ANSWERBACK, RunningServer, Serve, running
from tests.programs.test_programs import output, value
from tests.waiting import eventually

pytestmark = pytest.mark.programs

CONFIG = r"""
listeners:
  - name: it
    address: ADDRESS
    engine: ENGINE
    framing: line
    proxy_protocol: {mode: MODE, timeout: 1s}
    limits: {max_connections_per_peer: 2}
    rules:
      - {name: checked, when: CHECK, do: [send: "+OK\r\n"]}
      - do: [send: {template: "${peer.host} ${peer.port} ${proxy.host}\r\n"}]
  - name: other
    address: 127.0.0.1:PORT
"""
HAPROXY = """
global
  stats socket {folder}/haproxy.sock
  tune.ssl.default-dh-param 2048
defaults
  mode tcp
  timeout connect 2s
  timeout client 10s
  timeout server 10s
  timeout check 2s
listen it
  bind 127.0.0.1:{plain}
  bind ::1:{v6}
  bind {folder}/client.sock
  bind 127.0.0.1:{tls} ssl crt {folder}/server.pem alpn h2,http/1.1
  option tcp-check
  tcp-check send CHECK\\r\\n
  tcp-check expect string +OK
  unique-id-format %[uuid()]
  server one {server} check inter 50 {options}
"""
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
load_module {module};
events {{}}
stream {{
  server {{
    listen 127.0.0.1:{plain};
    listen [::1]:{v6} ipv6only=on;
    proxy_protocol on;
    proxy_pass {server};
  }}
}}
"""
NGINX_STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

every_engine = pytest.mark.parametrize("engine", ["CALLBACK", "COROUTINE"])


class Ports:
    """The ports that a proxy listens on."""

    def __init__(self) -> None:
        self.plain, self.v6, self.tls = free_port(), free_port("::1"), free_port()


def config(address: str, engine: str = "CALLBACK", mode: str = "REQUIRED") -> str:
    return CONFIG.replace("ADDRESS", address).replace("ENGINE", engine).replace("MODE", mode)


def ask(client: socket.socket, request: bytes = b"who\n") -> str:
    client.settimeout(10)
    client.sendall(request)
    with client.makefile() as lines:
        return lines.readline().rstrip("\r\n")


def listener_count(server: RunningServer, name: str, **labels: str) -> float:
    said = ",".join(f'{label}="{text}"' for label, text in {"listener": "it", **labels}.items())
    return value(server.scrape(), f"answerback_{name}{{{said}}}")


def haproxy(folder: Path, ports: Ports, server: str, options: str) -> list[str]:
    issued = Authority(folder).issue()
    (folder / "server.pem").write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
    text = HAPROXY.format(folder=folder, server=server, options=options, **vars(ports))
    (folder / "haproxy.cfg").write_text(text)
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


def checks_passed(folder: Path) -> bool:
    if not (folder / "haproxy.sock").exists():
        return False
    said = output("sh", "-c", f"echo show stat | nc -U -q 1 {folder / 'haproxy.sock'}")
    return "it,one," in said and ",UP," in next(row for row in said.splitlines() if row.startswith("it,one,"))


def names_its_clients(ports: Ports, proxy_host: str) -> None:
    """Connect by IPv4 and IPv6, and compare what the server knows of the client."""
    for host, port in (("127.0.0.1", ports.plain), ("::1", ports.v6)):
        with socket.create_connection((host, port)) as client:
            own = client.getsockname()
            assert ask(client) == f"{own[0]} {own[1]} {proxy_host}"


@every_engine
@pytest.mark.parametrize(
    "options",
    [
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority",
        "send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-key,cert-sig,ssl-cipher,crc32c",
    ],
)
def test_haproxy_names_its_clients_and_its_checks_pass(serve: Serve, tmp_path: Path, engine: str, options: str) -> None:
    ports, port = Ports(), free_port()
    serve(config(f"127.0.0.1:{port}", engine))
    with running(haproxy(tmp_path, ports, f"127.0.0.1:{port}", f"{options} check-send-proxy"), tmp_path / "log"):
        eventually(lambda: checks_passed(tmp_path), what="the check passes")
        names_its_clients(ports, "127.0.0.1")
        trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with trusting.wrap_socket(
            socket.create_connection(("127.0.0.1", ports.tls)), server_hostname="localhost"
        ) as it:
            assert ask(it) == f"127.0.0.1 {it.getsockname()[1]} 127.0.0.1"
        if options != "send-proxy":
            with socket.socket(socket.AF_UNIX) as local:
                local.connect(str(tmp_path / "client.sock"))
                assert ask(local).endswith(" 127.0.0.1")


@every_engine
def test_checks_of_haproxy_count_as_no_clients(serve: Serve, tmp_path: Path, engine: str) -> None:
    ports, port = Ports(), free_port()
    server = serve(config(f"127.0.0.1:{port}", engine))
    with running(haproxy(tmp_path, ports, f"127.0.0.1:{port}", "send-proxy-v2"), tmp_path / "log"):
        eventually(lambda: checks_passed(tmp_path), what="the check passes")
        names_its_clients(ports, "127.0.0.1")
        eventually(lambda: listener_count(server, "connections_closed_total", reason="peer_eof") == 2)
        assert listener_count(server, "connections_accepted_total") == 2
        assert listener_count(server, "requests_total") == 2
        assert listener_count(server, "rule_matches_total", rule="checked") == 0
    assert requests_of(server) == ["who", "who"]


def requests_of(server: RunningServer) -> list[str]:
    command = [str(ANSWERBACK), "requests", "--server", f"127.0.0.1:{server.admin}"]
    return [json.loads(line)["request"]["text"] for line in output(*command, "-o", "json").splitlines()]


def test_haproxy_reaches_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    ports, path = Ports(), tmp_path / "it.sock"
    serve(config(f"unix:{path}"))
    with running(haproxy(tmp_path, ports, f"unix@{path}", "send-proxy-v2"), tmp_path / "log"):
        eventually(lambda: checks_passed(tmp_path), what="the check passes")
        names_its_clients(ports, "")


def test_limit_for_each_peer_holds_behind_haproxy(serve: Serve, tmp_path: Path) -> None:
    ports, port = Ports(), free_port()
    server = serve(config(f"127.0.0.1:{port}"))
    with running(haproxy(tmp_path, ports, f"127.0.0.1:{port}", "send-proxy-v2"), tmp_path / "log"):
        eventually(lambda: checks_passed(tmp_path), what="the check passes")
        clients = [socket.create_connection(("127.0.0.1", ports.plain)) for _ in range(2)]
        assert [ask(client).split()[0] for client in clients] == ["127.0.0.1"] * 2
        with socket.create_connection(("127.0.0.1", ports.plain)) as third, suppress(ConnectionError):
            assert ask(third) == "", "closed"
        names = [socket.create_connection(("::1", ports.v6))]
        assert ask(names[0]).startswith("::1 ")
        assert listener_count(server, "connections_rejected_total", reason="max_connections_per_peer") == 1
        for client in (*clients, *names):
            client.close()


def listens(address: tuple[str, int]) -> bool:
    """Whether a connection can be made. Raises OSError if not."""
    with socket.create_connection(address):
        return True


@every_engine
def test_nginx_names_its_clients(serve: Serve, tmp_path: Path, engine: str) -> None:
    assert NGINX_STREAM.exists(), "it is in Debian's libnginx-mod-stream"
    ports, port = Ports(), free_port()
    serve(config(f"127.0.0.1:{port}", engine))
    text = NGINX.format(folder=tmp_path, module=NGINX_STREAM, server=f"127.0.0.1:{port}", **vars(ports))
    (tmp_path / "nginx.conf").write_text(text)
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    with running([nginx, "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)], tmp_path / "log"):
        eventually(lambda: listens(("::1", ports.v6)), what="nginx listens")
        names_its_clients(ports, "127.0.0.1")


HTTP = """
listeners:
  - name: it
    address: 127.0.0.1:PORT
    framing: http
    proxy_protocol: {mode: OPTIONAL, timeout: 1s}
    rules: [{do: [respond: {status: 200, body: {template: "${peer.host} ${proxy.host}"}}]}]
"""


def test_curl_sends_a_header(serve: Serve) -> None:
    server = serve(HTTP)
    url = f"http://127.0.0.1:{server.port}/"
    assert output("curl", "-s", "--haproxy-protocol", url) == "127.0.0.1 127.0.0.1"
    assert output("curl", "-s", url) == "127.0.0.1 "
