"""Real client programs complete their work against the examples."""

import poplib
import smtplib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import ANSWERBACK, RunningServer, Serve, running, serving
from tests.programs.test_programs import output, value
from tests.waiting import eventually

pytestmark = pytest.mark.programs

HOST = "127.0.0.1"
NAMES = ("redis", "redis-ping", "smtp", "pop3", "http", "flaky", "slow", "modbus", "memcached")


def listener(name: str, port: str) -> v1.Listener:
    """The first listener of an example, under the example's name."""
    text = resources.files("answerback").joinpath("examples", f"{name}.yaml").read_text("utf-8")
    found = load(text).config.listeners[0]
    found.name, found.address = name, f"{HOST}:{port}"
    return found


@dataclass(frozen=True)
class Examples:
    """One server for all the examples that no test changes."""

    server: RunningServer
    ports: dict[str, int]

    def matches(self, name: str, rule: str) -> float:
        series = f'answerback_rule_matches_total{{listener="{name}",rule="{rule}"}}'
        return value(self.server.scrape(), series)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    server = RunningServer(0, free_port(), free_port())
    ports = {name: free_port() for name in NAMES}
    config = v1.Config(listeners=[listener(name, str(port)) for name, port in ports.items()])
    with serving(server, dump(config), tmp_path_factory.mktemp("examples")):
        yield Examples(server, ports)


# ── Redis ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def redis_cli(port: int, *command: str, say: str = "") -> str:
    return output("redis-cli", "-h", HOST, "-p", str(port), *command, say=say)


def test_redis_cli_pings_sets_and_gets(examples: Examples) -> None:
    port = examples.ports["redis"]
    assert redis_cli(port, "ping") == "PONG\n"
    assert redis_cli(port, "echo", "hello\nworld") == "hello\nworld\n"
    assert redis_cli(port, say="GET a\nSET a 'b c'\nGET a\n").split("\n")[:3] == ["", "OK", "b c"]
    assert redis_cli(port, "-3", "get", "a") == redis_cli(port, "get", "a") == "b c\n"
    assert redis_cli(port, "-n", "1", "get", "a") == "\n"
    assert redis_cli(port, "flushall") == "ERR unknown command\n\n"


def test_redis_benchmark_accepts_every_reply_of_the_redis_example(examples: Examples) -> None:
    port = str(examples.ports["redis"])
    load = ["-t", "ping_inline,ping_mbulk,set,get,incr", "-c", "20", "-n", "2000", "-P", "4", "--csv"]
    said = output("redis-benchmark", "-h", HOST, "-p", port, *load)
    done = [line.split(",")[0] for line in said.splitlines()[-5:]]
    assert done == ['"PING_INLINE"', '"PING_MBULK"', '"SET"', '"GET"', '"INCR"']
    assert examples.matches("redis", "ping") >= 4000
    assert examples.matches("redis", "set") >= 2000
    assert int(redis_cli(examples.ports["redis"], "get", "counter:__rand_int__")) == examples.matches(
        "redis", "increment"
    )


def test_redis_benchmark_pings_inline_where_requests_are_lines(examples: Examples) -> None:
    port = str(examples.ports["redis-ping"])
    assert '"PING_INLINE"' in output(
        "redis-benchmark", "-h", HOST, "-p", port, "-t", "ping_inline", "-n", "2000", "--csv"
    )
    assert examples.matches("redis-ping", "ping") >= 2000


# ── Mail ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_smtplib_sends_messages_to_the_smtp_example(examples: Examples) -> None:
    with smtplib.SMTP(HOST, examples.ports["smtp"], timeout=10) as client:
        for number in (1, 2):  # the second as on a new connection
            assert client.sendmail("a@test", ["b@test", "c@test"], f"Subject: {number}\n\nQUIT\n.\nbody\n") == {}
        assert client.has_extn("8bitmime")
        assert client.docmd("RCPT", "TO:<b@test>") == (503, b"bad sequence")


@pytest.mark.parametrize("body, size", [("", 2), (".", 3), ("..x\n\n.y", 11), ("\n.\n", 5)])
def test_smtplib_message_arrives_without_its_dot_stuffing(examples: Examples, body: str, size: int) -> None:
    with smtplib.SMTP(HOST, examples.ports["smtp"], timeout=10) as client:
        client.mail("a@test")
        client.rcpt("b@test")
        assert client.data(body) == (250, f"queued {size} bytes".encode())


def test_swaks_sends_a_message(examples: Examples) -> None:
    server = f"{HOST}:{examples.ports['smtp']}"
    said = output("swaks", "--server", server, "--from", "a@test", "--to", "b@test", "--body", "hello")
    assert "<-  250 queued " in said
    assert said.rstrip().endswith("=== Connection closed with remote host.")


def test_poplib_logs_in_and_reads_a_message(examples: Examples) -> None:
    port = examples.ports["pop3"]
    client = poplib.POP3(HOST, port, timeout=10)
    assert client.getwelcome() == b"+OK ready"
    assert client.capa() == {"USER": [], "TOP": [], "UIDL": []}
    client.user("ada")
    with pytest.raises(poplib.error_proto, match="AUTH"):
        client.pass_("babbage")
    client.user("ada")
    client.pass_("lovelace")
    count, size = client.stat()
    _, lines, octets = client.retr(1)
    assert (count, octets) == (1, size)
    assert lines[2:] == [b"Subject: Engine", b"", b"It works."]
    assert client.list()[1] == [f"1 {size}".encode()]
    assert client.uidl()[1] == [b"1 engine"]
    assert client.top(1, 0)[1][0] == b"From: charles@test"
    assert client.dele(1) == b"+OK"
    assert client.quit() == b"+OK bye"


# ── curl ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_curl_gets_and_posts_over_one_connection(examples: Examples) -> None:
    url = f"http://{HOST}:{examples.ports['http']}/"
    assert output("curl", "-sS", "-w", " %{num_connects};", url, url) == "Hello, World! 1;Hello, World! 0;"
    assert output("curl", "-sS", "--data", "a=b&c", url) == "a=b&c"
    chunked = output("curl", "-sS", "-H", "Transfer-Encoding: chunked", "--data", "a=b", url)
    assert chunked == "3\na=b\n0\n\n", "the body as it came, but for what the test makes of line ends"
    assert output("curl", "-sS", "-X", "DELETE", "-w", "%{http_code}", url) == "405"


def test_curl_reads_mail_from_the_pop3_example(examples: Examples) -> None:
    url = f"pop3://ada:lovelace@{HOST}:{examples.ports['pop3']}/1"
    assert output("curl", "-sS", url).endswith("Subject: Engine\n\nIt works.\n")


def test_curl_retries_until_the_flaky_example_recovers(examples: Examples) -> None:
    url = f"http://{HOST}:{examples.ports['flaky']}/recovers"
    assert output("curl", "-sS", "--retry", "3", "--retry-delay", "0", url).endswith("ok\n")
    assert examples.matches("flaky", "recovers") == 3


def test_curl_times_out_on_the_slow_example(examples: Examples) -> None:
    url = f"http://{HOST}:{examples.ports['slow']}"
    assert output("curl", "-sS", f"{url}/drips") == "drip"
    stalled = subprocess.run(["curl", "-sS", "-m", "1", f"{url}/stalls"], capture_output=True, text=True, check=False)
    assert (stalled.returncode, stalled.stdout) == (28, "only this")  # 28: the operation timed out


# ── HAProxy ───────────────────────────────────────────────────────────────────────────────────────────────────────

HAPROXY = """
global
  stats socket {socket} level admin
defaults
  mode tcp
  timeout connect 2s
  timeout client 2s
  timeout server 2s
backend by_agent
  server one 127.0.0.1:{port} weight 100 agent-check agent-port {port} agent-inter 100
backend by_check
  option tcp-check
  tcp-check send PING\\r\\n
  tcp-check expect string +PONG
  server one 127.0.0.1:{port} check inter 100 fall 1 rise 1
"""


class Balancer:
    """What HAProxy says of its servers."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def state(self, backend: str) -> tuple[str, str]:
        """Status and weight of the backend's one server: `UP`, `DOWN`, …"""
        said = output("sh", "-c", f"echo show stat | nc -U -q 1 {self._control}")
        heading, *rows = [line.split(",") for line in said.removeprefix("# ").splitlines() if line]
        server = next(row for row in rows if row[:2] == [backend, "one"])
        return server[heading.index("status")], server[heading.index("weight")]


def apply(server: RunningServer, config: str) -> None:
    text = config.replace("PORT", str(server.port))
    output(str(ANSWERBACK), "apply", "-", "--server", f"{HOST}:{server.admin}", say=text)


def balance(server: RunningServer, folder: Path) -> tuple[list[str], Balancer]:
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(socket=folder / "haproxy.sock", port=server.port))
    return ["haproxy", "-db", "-f", str(config)], Balancer(folder / "haproxy.sock")


def test_haproxy_follows_the_agent_check_example(serve: Serve, tmp_path: Path) -> None:
    config = dump(v1.Config(listeners=[listener("agent-check", "PORT")]))
    server = serve(config)
    command, balancer = balance(server, tmp_path)
    with running(command, tmp_path / "haproxy.log"):
        eventually((tmp_path / "haproxy.sock").exists, what="HAProxy's socket")
        eventually(lambda: balancer.state("by_agent")[1] == "75", what="a weight of 75 %")
        apply(server, config.replace("up ready 75%", "down"))
        eventually(lambda: balancer.state("by_agent")[0].startswith("DOWN"), what="the server is down")
        apply(server, config.replace("up ready 75%", "up ready 40%"))
        eventually(lambda: balancer.state("by_agent")[1] == "40", what="a weight of 40 %")
        assert not balancer.state("by_agent")[0].startswith("DOWN")
        apply(server, config.replace("up ready 75%", "drain"))
        eventually(lambda: balancer.state("by_agent")[0].startswith("DRAIN"), what="the server is drained")


def test_haproxy_check_follows_the_redis_ping_reply(serve: Serve, tmp_path: Path) -> None:
    config = dump(v1.Config(listeners=[listener("redis-ping", "PORT")]))
    server = serve(config)
    command, balancer = balance(server, tmp_path)
    with running(command, tmp_path / "haproxy.log"):
        eventually((tmp_path / "haproxy.sock").exists, what="HAProxy's socket")
        eventually(lambda: balancer.state("by_check")[0] == "UP", what="the server is up")
        apply(server, config.replace("+PONG", "-LOADING"))
        eventually(lambda: balancer.state("by_check")[0] == "DOWN", what="the server is down")
        apply(server, config)
        eventually(lambda: balancer.state("by_check")[0] == "UP", what="the server is up again")


# ── Libraries ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pymodbus_reads_registers_of_the_modbus_example(examples: Examples) -> None:
    from pymodbus.client import ModbusTcpClient

    with ModbusTcpClient(HOST, port=examples.ports["modbus"]) as client:
        for _ in range(3):
            assert client.read_holding_registers(0, count=2).registers == [42, 43]
        refused = client.write_coil(0, True)
        assert refused.isError()
        assert refused.exception_code == 1  # an illegal function


def test_pymemcache_sets_gets_and_deletes(examples: Examples) -> None:
    from pymemcache.client.base import Client

    client = Client((HOST, examples.ports["memcached"]), timeout=10)
    try:
        assert client.get("a") is None
        client.set("a", b"1\r\n2")  # without a reply, unless told
        assert client.get("a") == b"1\r\n2"
        assert client.set("a", b"x" * 100_000, noreply=False)
        assert client.get("a") == b"x" * 100_000
        assert client.delete("a", noreply=False)
        assert not client.delete("a", noreply=False)
        assert client.get("a", b"nothing") == b"nothing"
        assert client.version() == b"1.6.0"
        client.quit()
    finally:
        client.close()
