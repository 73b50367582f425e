"""Real client programs against Answerback, as users run them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs.conftest import Serve
from tests.waiting import eventually

pytestmark = pytest.mark.programs

GRPCURL = str(Path(sys.executable).with_name("grpcurl"))

HELLO = """
listeners:
  - name: hello
    address: 127.0.0.1:PORT
    rules:
      - do: [send: "Hello, World!", close]
"""

PONG = """
listeners:
  - name: pong
    address: 127.0.0.1:PORT
    engine: ENGINE
    framing: line
    rules:
      - do: [send: "+PONG\\r\\n"]
"""


def output(*command: str, say: str = "") -> str:
    """What a program prints; it must end well within half a minute."""
    done = subprocess.run(command, input=say, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_nc_prints_the_reply_that_the_readme_shows(serve: Serve) -> None:
    server = serve(HELLO)
    assert output("sh", "-c", f"printf hi | nc 127.0.0.1 {server.port}") == "Hello, World!"


COUNTED = """
listeners:
  - name: counted
    address: 127.0.0.1:PORT
    framing: {length_prefix: FRAMING}
    rules:
      - do: [send: {template: "<${request}>"}]
"""


def test_nc_sends_netstrings(serve: Serve) -> None:
    server = serve(COUNTED.replace("FRAMING", "{encoding: DECIMAL, until: ':', adjust: 1, strip: true}"))
    assert output("nc", "-N", "127.0.0.1", str(server.port), say="5:hello,0:,3:a:b,") == "<hello,><,><a:b,>"


def test_logger_sends_messages_with_their_octet_count(serve: Serve) -> None:
    """Without replies: logger reads none, so it would reset the connection, and what is not read yet would be lost."""
    unanswered, _, _ = COUNTED.partition("    rules:")
    server = serve(unanswered.replace("FRAMING", "{encoding: DECIMAL, until: ' ', strip: true}"))
    logger = ["logger", "--server", "127.0.0.1", "--port", str(server.port), "--tcp", "--octet-count", "--rfc3164"]
    output(*logger, say="first\nsecond\nthird\n")
    eventually(lambda: value(server.scrape(), 'answerback_requests_total{listener="counted"}') == 3, what="3 messages")


@pytest.mark.parametrize("engine", ["CALLBACK", "COROUTINE"])
@pytest.mark.parametrize(
    "style", [["-k", "1"], ["-k", "0"], ["-k", "1", "-P", "16"]], ids=["persistent", "one-shot", "pipelined"]
)
def test_redis_benchmark_accepts_every_pong(serve: Serve, engine: str, style: list[str]) -> None:
    server = serve(PONG.replace("ENGINE", engine))
    load = ["-t", "ping_inline", "-c", "20", "-n", "2000", "--csv", *style]
    said = output("redis-benchmark", "-h", "127.0.0.1", "-p", str(server.port), *load)
    assert '"PING_INLINE"' in said
    assert value(server.scrape(), 'answerback_requests_total{listener="pong"}') >= 2000


def test_promtool_reports_nothing_about_the_metrics(serve: Serve) -> None:
    server = serve(HELLO)
    output("sh", "-c", f"printf hi | nc 127.0.0.1 {server.port}")
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=server.scrape(), capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_grpcurl_changes_the_reply_by_reflection_alone(serve: Serve) -> None:
    server = serve(HELLO)
    admin = f"127.0.0.1:{server.admin}"
    services = output(GRPCURL, "-plaintext", admin, "list").split()
    assert {"answerback.v1.ConfigService", "answerback.v1.OperationsService", "grpc.health.v1.Health"} <= set(services)
    found = json.loads(output(GRPCURL, "-plaintext", admin, "answerback.v1.ConfigService/GetConfig"))
    found["config"]["listeners"][0]["rules"][0]["do"][0]["send"]["text"] = "Changed."
    change = json.dumps({"config": found["config"], "etag": found["etag"], "comment": "by hand"})
    service = "answerback.v1.ConfigService/UpdateConfig"
    changed = json.loads(output(GRPCURL, "-plaintext", "-d", "@", admin, service, say=change))
    assert changed["changed"] is True
    assert output("sh", "-c", f"printf hi | nc 127.0.0.1 {server.port}") == "Changed."


def value(exposition: str, series: str) -> float:
    """The value of one series of an exposition."""
    return next(float(line.split(" ")[1]) for line in exposition.splitlines() if line.startswith(f"{series} "))
