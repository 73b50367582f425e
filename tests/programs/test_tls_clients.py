"""Clients of PyPI verify the examples `redis` and `mqtt` with TLS; nmap lists versions, ciphers and the certificate."""

import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.programs.test_examples import listener
from tests.programs.test_programs import output
from tests.system.tls_examples import make_certificates

redis = pytest.importorskip("redis")
mqtt = pytest.importorskip("paho.mqtt.client")

pytestmark = pytest.mark.programs

HOST = "localhost"  # the name in the certificate


@dataclass(frozen=True)
class Secured:
    ports: dict[str, int]
    tls: Path


@pytest.fixture(scope="module", params=["CALLBACK", "COROUTINE"])
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls-clients")
    make_certificates(folder)
    ports = {name: free_port() for name in ("redis", "mqtt", "http")}
    config = v1.Config(listeners=[listener(name, str(port)) for name, port in ports.items()])
    for each in config.listeners:
        each.engine = v1.Engine.Value(f"ENGINE_{request.param}")
        each.tls.cert, each.tls.key = str(folder / "tls/localhost.crt"), str(folder / "tls/localhost.key")
    with serving(RunningServer(0, free_port(), free_port()), dump(config), folder):
        yield Secured(ports, folder / "tls")


def test_redis_py_stores_a_value_over_tls(secured: Secured) -> None:
    where = {"host": HOST, "port": secured.ports["redis"], "ssl": True, "socket_timeout": 10}
    with redis.Redis(**where, ssl_ca_certs=str(secured.tls / "ca.crt"), ssl_check_hostname=True) as client:
        assert client.set("a", "b c")
        assert client.get("a") == b"b c"
    with redis.Redis(**where) as stranger, pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.ping()


def test_paho_publishes_over_tls(secured: Secured) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    connected, published = threading.Event(), threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.on_publish = lambda *_: published.set()
    client.tls_set(ca_certs=str(secured.tls / "ca.crt"), cert_reqs=ssl.CERT_REQUIRED)
    client.connect(HOST, secured.ports["mqtt"])
    client.loop_start()
    try:
        assert connected.wait(20)
        client.publish("a/b", b"hi", qos=1)
        assert published.wait(20)
    finally:
        client.disconnect()
        client.loop_stop()


def test_nmap_finds_no_old_version_and_only_good_ciphers(secured: Secured) -> None:
    port = str(secured.ports["http"])
    said = output("nmap", "-n", "-Pn", "-sT", "-p", port, "--script", "ssl-enum-ciphers,ssl-cert", "127.0.0.1")
    assert set(re.findall(r"(SSLv\d|TLSv1\.\d):", said)) == {"TLSv1.2", "TLSv1.3"}
    assert re.search(r"least strength: A\b", said), said
    assert "Subject Alternative Name: DNS:localhost" in said
