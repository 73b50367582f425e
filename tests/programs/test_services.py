"""The examples `ldap`, `ftp`, `stomp`, `kafka`, `syslog` and `graphite` against clients of Python and PyPI."""

import ftplib
import io
import logging
import logging.handlers
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.bridge.graphite import GraphiteBridge

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import RunningServer, serving
from tests.programs.test_examples import HOST, listener
from tests.programs.test_programs import value
from tests.waiting import eventually

kafka = pytest.importorskip("kafka")
ldap3 = pytest.importorskip("ldap3")
stomp = pytest.importorskip("stomp")

pytestmark = pytest.mark.programs


@dataclass(frozen=True)
class Services:
    """One server for all of these tests."""

    server: RunningServer
    ports: dict[str, int]


def ftp_listeners(port: int, data: int) -> list[v1.Listener]:
    """Both listeners of the example, on these ports; the control connection names that of the data connection."""
    text = resources.files("answerback").joinpath("examples", "ftp.yaml").read_text("utf-8")
    text = text.replace("7042", str(port)).replace("7043", str(data)).replace("27,139", f"{data // 256},{data % 256}")
    return list(load(text).config.listeners)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    ports = {name: free_port() for name in ("ldap", "stomp", "kafka", "syslog", "graphite", "ftp")}
    listeners = [listener(name, str(port)) for name, port in ports.items() if name != "ftp"]
    config = v1.Config(listeners=[*listeners, *ftp_listeners(ports["ftp"], free_port())])
    server = RunningServer(0, free_port(), free_port())
    with serving(server, dump(config), tmp_path_factory.mktemp("services")):
        yield Services(server, ports)


# ── LDAP ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def directory(services: Services, user: str = "", password: str = "", info: str = "NO_INFO") -> Any:
    server = ldap3.Server(HOST, services.ports["ldap"], get_info=info)
    kind = ldap3.SIMPLE if user else ldap3.ANONYMOUS
    return ldap3.Connection(server, user or None, password or None, authentication=kind, receive_timeout=10)


def found(connection: Any, condition: str) -> list[tuple[str, list[str]]]:
    connection.search("dc=test", condition, attributes=["cn", "mail"])
    return [(entry.entry_dn, entry.mail.values) for entry in connection.entries]


def test_ldap3_binds_and_searches(services: Services) -> None:
    ada = ("cn=ada,dc=test", ["ada@example.com"])
    charles = ("cn=charles,dc=test", ["charles@example.com", "cb@example.com"])
    with directory(services, "cn=admin,dc=test", "secret", "DSA") as connection:
        assert connection.server.info.naming_contexts == ["dc=test"]
        for _ in range(70):  # the number of a message takes two bytes from 128 on
            assert found(connection, "(cn=ada)") == [ada]
            assert found(connection, "(cn=charles)") == [charles]
        assert found(connection, "(objectClass=*)") == [ada, charles]
        assert found(connection, "(cn=bob)") == []
        assert connection.result["description"] == "success"
        assert not connection.delete("cn=ada,dc=test")
        assert connection.result["description"] == "unwillingToPerform"
        assert not connection.modify("cn=ada,dc=test", {"mail": [(ldap3.MODIFY_DELETE, [])]})
        assert connection.result["description"] == "unwillingToPerform"


def test_ldap3_is_refused_with_a_wrong_password(services: Services) -> None:
    connection = directory(services, "cn=admin,dc=test", "wrong")
    assert not connection.bind()
    assert connection.result["description"] == "invalidCredentials"
    connection.unbind()
    with directory(services) as anonymous:
        assert len(found(anonymous, "(cn=ada)")) == 1


# ── FTP ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [0, 1, 500_000])
def test_ftplib_stores_lists_and_retrieves_files(services: Services, size: int) -> None:
    content, name = bytes(range(250)) * (size // 250) + b"x" * (size % 250), f"file-{size}.bin"
    with ftplib.FTP(timeout=10) as client:
        client.connect(HOST, services.ports["ftp"])
        client.login()
        assert client.pwd() == "/"
        assert client.storbinary(f"STOR {name}", io.BytesIO(b"an older one")).startswith("226")
        assert client.storbinary(f"STOR {name}", io.BytesIO(content)).startswith("226")
        with ftplib.FTP(timeout=10) as other:
            other.connect(HOST, services.ports["ftp"])
            other.login()
            received = io.BytesIO()
            other.retrbinary(f"RETR {name}", received.write)
            assert (received.getvalue(), other.size(name)) == (content, size)
        lines: list[str] = []
        client.retrlines("LIST", lines.append)
        assert [line.split()[4:] for line in lines] == [[str(size), "Jan", "1", "00:00", name]]
        with pytest.raises(ftplib.error_perm, match="550 no such file"):
            client.retrbinary("RETR none", received.write)
        client.delete(name)
        lines.clear()
        client.retrlines("LIST", lines.append)
        assert lines == []


# ── STOMP ─────────────────────────────────────────────────────────────────────────────────────────────────────────


Listener: Any = stomp.ConnectionListener


class Listening(Listener):  # type: ignore[misc] # its package has no types
    """What a connection receives, and whether it beats."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.receipts: list[str] = []
        self.errors: list[str] = []
        self.connected = threading.Event()

    def on_connected(self, _frame: Any) -> None:
        self.connected.set()

    def on_message(self, frame: Any) -> None:
        self.messages.append((frame.headers["destination"], frame.body))

    def on_receipt(self, frame: Any) -> None:
        self.receipts.append(frame.headers["receipt-id"])

    def on_error(self, frame: Any) -> None:
        self.errors.append(frame.headers["message"])

    def on_heartbeat_timeout(self) -> None:
        self.errors.append("no beat")


@pytest.mark.parametrize("version", [stomp.Connection11, stomp.Connection12])
def test_stomp_client_gets_what_it_subscribed_to(services: Services, version: Any) -> None:
    listening = Listening()
    client = version([(HOST, services.ports["stomp"])], heartbeats=(0, 1000), auto_content_length=False)
    client.set_listener("test", listening)
    client.connect("any", "any", wait=True)
    try:
        assert listening.connected.wait(10)
        client.subscribe("/queue/a", id="1", headers={"receipt": "subscribed"})
        client.send("/queue/b", "to nobody")
        client.send("/queue/a", "hello\n\nworld", receipt="sent")
        client.send("/queue/a", "ä" * 10_000, content_type="text/plain")
        eventually(lambda: len(listening.messages) == 2, what="both messages are back")
        assert listening.messages == [("/queue/a", "hello\n\nworld"), ("/queue/a", "ä" * 10_000)]
        assert listening.receipts == ["subscribed", "sent"]
    finally:
        client.disconnect(receipt="gone")
    eventually(lambda: listening.receipts[-1] == "gone", what="the receipt of the end")
    assert listening.errors == []


# ── Kafka ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("settings", [{}, {"api_version": (0, 10, 0)}])
def test_kafka_python_reads_the_metadata(services: Services, settings: dict[str, Any]) -> None:
    address = f"{HOST}:{services.ports['kafka']}"
    consumer = kafka.KafkaConsumer(bootstrap_servers=address, **settings)
    try:
        assert consumer.topics() == {"events"}
        assert consumer.partitions_for_topic("events") == {0}
    finally:
        consumer.close(autocommit=False)


# ── Sinks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_syslog_handler_has_its_records_counted_by_severity(services: Services) -> None:
    handler = logging.handlers.SysLogHandler((HOST, services.ports["syslog"]), socktype=socket.SOCK_STREAM)
    logger = logging.getLogger("tests.programs.syslog")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    for level, times in ((logging.CRITICAL, 1), (logging.ERROR, 2), (logging.WARNING, 4), (logging.INFO, 5)):
        for number in range(times):
            logger.log(level, "message %d", number)
    logger.removeHandler(handler)
    handler.close()

    def counts() -> list[float]:
        said = services.server.scrape()
        series = 'answerback_rule_matches_total{{listener="syslog",rule="{}"}}'
        return [value(said, series.format(rule)) for rule in ("error", "warning", "information", "malformed")]

    eventually(lambda: counts() == [3, 4, 5, 0], what="all messages are counted")


def test_graphite_bridge_of_prometheus_pushes_its_metrics(services: Services) -> None:
    registry = CollectorRegistry()
    Gauge("users", "How many.", registry=registry).set(42)
    Gauge("load", "How busy.", ["host"], registry=registry).labels("a").set(2.5e-07)
    address = (HOST, services.ports["graphite"])
    GraphiteBridge(address, registry=registry, tags=True).push(prefix="app")

    def last(path: str) -> str:
        with socket.create_connection(address, 10) as asking, asking.makefile() as answers:
            asking.sendall(f"get {path}\n".encode())
            return answers.readline()

    eventually(lambda: last("app.users") == "42.0\n", what="the first metric")
    eventually(lambda: last("app.load;host=a") == "2.5e-07\n", what="the metric with a tag")
