"""redis-cli, redis-benchmark and redis-py work with a real Redis through a relay, on both engines."""

import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.ports import free_port
from tests.programs.conftest import RunningServer, running, serving
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

redis = pytest.importorskip("redis")

pytestmark = pytest.mark.programs

ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])
HOST = "127.0.0.1"
RULED = "-ruled"
RULES = (
    ", framing: resp, rules: ["
    r"""{when: {expr: "upper(resp.args[0]) == 'TIME'"}, do: [send: "*2\r\n:1\r\n:2\r\n"]}, """
    r"""{when: {expr: "upper(resp.args[0]) == 'KEYS'"}, do: [delay: 1ms, send: "-ERR not here\r\n"]}]"""
)
"""One command is answered here, one fails, and all others are forwarded."""


@pytest.fixture(scope="module")
def relays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """A Redis without a disk, and the ports of two relays to it, on one server with two workers."""
    lacking = [program for program in ("redis-server", "redis-cli", "redis-benchmark") if not shutil.which(program)]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    folder: Path = tmp_path_factory.mktemp("relay")
    port = free_port()
    ports = {f"{engine}{kind}": free_port() for engine in ("callback", "coroutine") for kind in ("", RULED)}
    config = "listeners:\n" + "".join(
        f"  - {{name: {name}, address: '{HOST}:{at}', engine: {name.removesuffix(RULED)}, "
        f"upstream: 'localhost:{port}'{RULES if name.endswith(RULED) else ''}}}\n"
        for name, at in ports.items()
    )
    command = ["redis-server", "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)]
    with (
        running(command, folder / "redis.log"),
        serving(RunningServer(0, free_port(), free_port()), config, folder),
    ):
        with redis.Redis(HOST, port) as direct:
            eventually(direct.ping, what="Redis answers")
        yield ports


def cli(port: int, *words: str, stdin: str = "") -> str:
    command = ["redis-cli", "-h", HOST, "-p", str(port), *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=60).stdout


@ENGINES
def test_redis_cli_reads_what_it_has_set(relays: dict[str, int], engine: str) -> None:
    assert cli(relays[engine], "SET", engine, "value") == "OK\n"
    assert cli(relays[engine], "GET", engine) == "value\n"
    assert cli(relays[engine], stdin="INCR n\nINCR n\nDEL n\n") == "1\n2\n1\n"


@ENGINES
def test_redis_cli_loads_many_commands_in_a_pipe(relays: dict[str, int], engine: str) -> None:
    commands = "".join(f"SET {engine}-{number} {number}\r\n" for number in range(20_000))
    said = cli(relays[engine], "--pipe", stdin=commands)
    assert "errors: 0, replies: 20000" in said
    assert cli(relays[engine], "GET", f"{engine}-19999") == "19999\n"


@ENGINES
def test_redis_benchmark_runs_without_an_error(relays: dict[str, int], engine: str) -> None:
    command = [
        "redis-benchmark",
        "-h",
        HOST,
        "-p",
        str(relays[engine]),
        "-n",
        "5000",
        "-c",
        "20",
        "-t",
        "set,get",
        "-q",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "Error" not in done.stdout + done.stderr


@ENGINES
def test_redis_py_subscribes_and_moves_large_values(relays: dict[str, int], engine: str) -> None:
    value = bytes(range(256)) * 40_000
    with redis.Redis(HOST, relays[engine], socket_timeout=20) as client, client.pubsub() as subscribed:
        client.set("large", value)
        assert client.get("large") == value
        subscribed.subscribe(engine)
        assert subscribed.get_message(timeout=10)["type"] == "subscribe"
        assert client.publish(engine, b"news") == 1
        assert subscribed.get_message(timeout=10)["data"] == b"news"


@ENGINES
def test_redis_cli_gets_one_reply_here_and_the_others_from_redis(relays: dict[str, int], engine: str) -> None:
    port = relays[engine + RULED]
    assert cli(port, "SET", engine, "value") == "OK\n"
    assert cli(port, "TIME") == "1\n2\n"
    assert cli(port, "GET", engine) == "value\n"
    assert cli(port, "KEYS", "*").strip() == "ERR not here"


@ENGINES
def test_redis_py_gets_one_reply_here_and_the_others_from_redis(relays: dict[str, int], engine: str) -> None:
    with redis.Redis(HOST, relays[engine + RULED]) as client:
        for number in range(100):
            assert client.set(f"key {number}", b"\0\r\n" * number)
            assert client.time() == (1, 2)
            assert client.get(f"key {number}") == b"\0\r\n" * number
        with pytest.raises(redis.ResponseError, match="not here"):
            client.keys("*")
        pipeline = client.pipeline(transaction=True)
        for _ in range(500):
            pipeline.incr(f"many {engine}")
        assert pipeline.execute()[-1] == 500


@ENGINES
def test_redis_benchmark_completes_where_rules_see_every_request(relays: dict[str, int], engine: str) -> None:
    command = [
        "redis-benchmark",
        "-h",
        HOST,
        "-p",
        str(relays[engine + RULED]),
        "-n",
        "5000",
        "-P",
        "16",
        "-q",
        "-t",
        "set",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "requests per second" in done.stdout
