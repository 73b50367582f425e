"""Relays with TLS and PROXY headers: redis-py and Redis, curl and HAProxy, and s_server with bad certificates."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from answerback.cli import main
from tests.certifying import Authority
from tests.ports import free_port
from tests.programs.conftest import RunningServer, Serve, running, serving
from tests.programs.test_programs import value
from tests.waiting import eventually

redis = pytest.importorskip("redis")

PROGRAMS = ("redis-server", "curl", "haproxy", "openssl")
pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"needs {', '.join(PROGRAMS)}"),
]

ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])
BAD = ("expired", "not-yet-valid", "wrong-name", "self-signed", "unknown-ca", "weak-key", "broken-chain")

HAPROXY = """
defaults
  mode http
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend named
  bind 127.0.0.1:{v1} accept-proxy
  bind 127.0.0.1:{secure} accept-proxy ssl crt {pem}
  http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port] %[fc_pp_authority] %[ssl_fc_sni]"
"""
LISTENERS = """\
  - name: @ENGINE@-store
    address: 127.0.0.1:@STORE@
    engine: @ENGINE@
    tls: {cert: @CERT@, key: @KEY@}
    upstream: {address: "localhost:@REDIS@", tls: {ca: @CA@}}
  - name: @ENGINE@-ruled
    address: 127.0.0.1:@RULED@
    engine: @ENGINE@
    tls: {cert: @CERT@, key: @KEY@}
    framing: resp
    upstream: {address: "localhost:@REDIS@", tls: {ca: @CA@}}
    rules:
      - {when: {expr: "upper(resp.args[0]) == 'TIME'"}, do: [delay: 1ms, send: "*2\\r\\n:1\\r\\n:2\\r\\n"]}
  - name: @ENGINE@-v1
    address: 127.0.0.1:@V1@
    engine: @ENGINE@
    tls: {cert: @CERT@, key: @KEY@}
    upstream: {address: "127.0.0.1:@HAPROXY@", proxy_protocol: V1}
  - name: @ENGINE@-v2
    address: 127.0.0.1:@V2@
    engine: @ENGINE@
    tls: {cert: @CERT@, key: @KEY@}
    upstream: {address: "127.0.0.1:@HAPROXY@", proxy_protocol: V2}
  - name: @ENGINE@-secure
    address: 127.0.0.1:@SECURE@
    engine: @ENGINE@
    upstream: {address: "127.0.0.1:@HAPROXYS@", proxy_protocol: V2, tls: {ca: @CA@, server_name: localhost}}
"""


class Ports:
    """The ports of the listeners of one engine."""

    def __init__(self) -> None:
        self.store, self.ruled, self.v1, self.v2, self.secure = (free_port() for _ in range(5))


class Relays:
    """A Redis and a HAProxy with TLS, and the relays to them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.authority = Authority(folder)
        issued = self.authority.issue()
        pem = folder / "haproxy.pem"
        pem.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
        store, plain, secure = (free_port() for _ in range(3))
        (folder / "haproxy.cfg").write_text(HAPROXY.format(v1=plain, secure=secure, pem=pem))
        command = ["redis-server", "--port", "0", "--tls-port", str(store), "--save", "", "--dir", str(folder)]
        command += ["--tls-cert-file", str(issued.certificate), "--tls-key-file", str(issued.key)]
        command += ["--tls-ca-cert-file", str(self.authority.certificate), "--tls-auth-clients", "no"]
        stack.enter_context(running(command, folder / "redis.log"))
        stack.enter_context(running(["haproxy", "-f", str(folder / "haproxy.cfg")], folder / "haproxy.log"))
        self.ports = {"callback": Ports(), "coroutine": Ports()}
        config = "listeners:\n"
        for engine, ports in self.ports.items():
            text = LISTENERS.replace("@ENGINE@", engine)
            given = {"STORE": ports.store, "V1": ports.v1, "V2": ports.v2, "SECURE": ports.secure, "REDIS": store}
            given |= {"HAPROXY": plain, "HAPROXYS": secure, "RULED": ports.ruled}
            paths = {"CERT": issued.certificate, "KEY": issued.key, "CA": self.authority.certificate}
            for name, found in (given | paths).items():
                text = text.replace(f"@{name}@", str(found))
            config += text
        stack.enter_context(serving(RunningServer(0, free_port(), free_port()), config, folder))

    def get(self, engine: str, listener: str) -> str:
        """What HAProxy says to curl."""
        port = getattr(self.ports[engine], listener)
        scheme = "http" if listener == "secure" else "https"
        command = ["curl", "-sS", "--retry", "5", "--retry-all-errors", "--cacert", str(self.authority.certificate)]
        done = subprocess.run([*command, f"{scheme}://localhost:{port}/"], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture(scope="module")
def relays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relays]:
    with ExitStack() as stack:
        yield Relays(tmp_path_factory.mktemp("relays"), stack)


@ENGINES
def test_redis_py_works_within_tls_on_both_sides(relays: Relays, engine: str) -> None:
    port = relays.ports[engine].store
    with redis.Redis("localhost", port, ssl=True, ssl_ca_certs=str(relays.authority.certificate)) as client:
        eventually(client.ping, what="Redis answers")
        with client.pipeline() as pipe:
            for number in range(2000):
                pipe.set(f"{engine}-{number}", "x" * number)
            assert pipe.execute() == [True] * 2000
        assert client.get(f"{engine}-1999") == b"x" * 1999
        client.set(engine, b"\0" * (1 << 20))
        assert client.get(engine) == b"\0" * (1 << 20)


@ENGINES
def test_rule_answers_redis_py_within_tls_and_redis_everything_else(relays: Relays, engine: str) -> None:
    port = relays.ports[engine].ruled
    with redis.Redis("localhost", port, ssl=True, ssl_ca_certs=str(relays.authority.certificate)) as client:
        eventually(client.ping, what="Redis answers")
        client.set(f"{engine}-ruled", b"\0" * (1 << 19))
        for _ in range(100):
            assert client.time() == (1, 2)
            assert client.strlen(f"{engine}-ruled") == 1 << 19
        assert client.get(f"{engine}-ruled") == b"\0" * (1 << 19)


@ENGINES
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_haproxy_sees_the_client_and_what_it_asked_for(relays: Relays, engine: str, version: str) -> None:
    port = getattr(relays.ports[engine], version)
    authority = "localhost" if version == "v2" else ""
    assert relays.get(engine, version).split(" ") == ["127.0.0.1", str(port), authority, ""]


@ENGINES
def test_haproxy_reads_the_header_before_tls(relays: Relays, engine: str) -> None:
    assert relays.get(engine, "secure").split(" ") == [
        "127.0.0.1",
        str(relays.ports[engine].secure),
        "",
        "localhost",
    ]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    assert CliRunner().invoke(main, ["certificates", str(folder)]).exit_code == 0
    return folder


def test_each_bad_certificate_is_rejected_for_the_error_that_openssl_names(
    serve: Serve, certificates: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(main, ["certificates", str(tmp_path / "same"), "-o", "json"])
    promised = {each["name"]: each["error"].lower() for each in json.loads(result.stdout)["certificates"]}
    upstreams = {name: free_port() for name in ("localhost", *BAD)}
    listeners = {name: free_port() for name in upstreams}
    config = "listeners:\n" + "".join(
        f"  - name: {name}\n    address: 127.0.0.1:{port}\n"
        f"    upstream: {{address: 'localhost:{upstreams[name]}', tls: {{ca: {certificates}/ca.crt}}}}\n"
        for name, port in listeners.items()
    )
    with ExitStack() as stack:
        for name, port in upstreams.items():
            files = ["-cert", f"{certificates}/{name}.crt", "-key", f"{certificates}/{name}.key"]
            options = ["-quiet", "-www", "-cipher", "DEFAULT@SECLEVEL=0", "-cert_chain", f"{certificates}/{name}.crt"]
            command = ["openssl", "s_server", "-accept", str(port), *files, *options]
            stack.enter_context(running(command, tmp_path / f"{name}.log"))
        server = serve(config)

        def get(name: str) -> bool:
            url = f"http://127.0.0.1:{listeners[name]}/"
            return subprocess.run(["curl", "-s", url], capture_output=True, check=False).returncode == 0

        eventually(lambda: get("localhost"), what="s_server answers")
        for name in BAD:
            assert not get(name)
        scraped = server.scrape()
        for name in BAD:
            series = f'answerback_upstream_connect_errors_total{{errno="tls",listener="{name}"}}'
            assert value(scraped, series) == 1, name
    log = (tmp_path / "answerback.log").read_text()
    for name in BAD:
        (line,) = [line for line in log.splitlines() if "with the upstream failed" in line and name in line]
        assert promised[name] in line.lower()
