"""redis-cli and redis-py see a real Redis behind the example `redis-front`, in the order of their commands."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answerback.document.document import load
from answerback.document.encode import dump
from answerback.v1 import config_pb2 as v1
from tests.ports import free_port
from tests.programs.conftest import RunningServer, running, serving
from tests.waiting import eventually

redis = pytest.importorskip("redis")

pytestmark = pytest.mark.programs

ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])
HOST = "127.0.0.1"
EXAMPLE = Path(__file__).parents[2] / "service/answerback/examples/redis-front.yaml"
REFUSED = "FLUSHALL is not for this Redis"


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """A Redis without a disk, and the port before it of each engine, on one server with two workers."""
    lacking = [program for program in ("redis-server", "redis-cli") if not shutil.which(program)]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}")
    folder = tmp_path_factory.mktemp("front")
    port = free_port()
    ports = {"callback": free_port(), "coroutine": free_port()}
    config = v1.Config()
    for engine, at in ports.items():
        front = load(EXAMPLE.read_text()).config.listeners[0]
        front.name, front.address, front.upstream.address = engine, f"{HOST}:{at}", f"{HOST}:{port}"
        front.engine = v1.Engine.Value(f"ENGINE_{engine.upper()}")
        config.listeners.append(front)
    command = ["redis-server", "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)]
    with (
        running(command, folder / "redis.log"),
        serving(RunningServer(0, free_port(), free_port()), dump(config), folder),
    ):
        with redis.Redis(HOST, port) as direct:
            eventually(direct.ping, what="Redis answers")
        yield ports


def client(port: int, protocol: int = 2) -> Any:
    return redis.Redis(HOST, port, protocol=protocol, decode_responses=True)


@ENGINES
def test_redis_cli_gets_each_answer_in_its_place(fronts: dict[str, int], engine: str) -> None:
    words = f"SET {engine} red\nGET {engine}\nGET missing\nFLUSHALL\nINCR {engine}-n\nGET {engine}\n"
    command = ["redis-cli", "-h", HOST, "-p", str(fronts[engine])]
    said = subprocess.run(command, input=words, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [line for line in said.splitlines() if line] == ["OK", "red", "none", f"ERR {REFUSED}", "1", "red"]


@ENGINES
def test_redis_cli_loads_many_commands_in_a_pipe(fronts: dict[str, int], engine: str) -> None:
    commands = "".join(f"SET {engine}-{number} {number}\r\nFLUSHALL\r\n" for number in range(2_000))
    command = ["redis-cli", "-h", HOST, "-p", str(fronts[engine]), "--pipe"]
    said = subprocess.run(command, input=commands, capture_output=True, text=True, check=False, timeout=60).stdout
    assert "errors: 2000, replies: 4000" in said


@ENGINES
@pytest.mark.parametrize("protocol", [2, 3])
def test_pipeline_of_redis_py_gets_each_answer_in_its_place(fronts: dict[str, int], engine: str, protocol: int) -> None:
    with client(fronts[engine], protocol) as it:
        pipe = it.pipeline(transaction=False)
        expected: list[object] = []
        for number in range(300):
            key = f"{engine}-{protocol}-{number}"
            pipe.set(key, "v" * (number * 7))
            pipe.get(key)
            pipe.get(f"{key}-missing")
            pipe.flushall()
            pipe.hset(f"{key}-map", mapping={"a": 1, "b": 2})
            pipe.hgetall(f"{key}-map")
            # With RESP3, Redis says otherwise that there is no value.
            missing = "none" if protocol == 2 else None
            expected += [True, "v" * (number * 7), missing, REFUSED, 2, {"a": "1", "b": "2"}]
        found = pipe.execute(raise_on_error=False)
    assert [str(each) if isinstance(each, redis.ResponseError) else each for each in found] == expected


@ENGINES
def test_transaction_of_redis_py_passes(fronts: dict[str, int], engine: str) -> None:
    with client(fronts[engine]) as it, it.pipeline(transaction=True) as pipe:
        pipe.set(f"{engine}-t", "1").incrby(f"{engine}-t", 41).lrange("nothing", 0, -1)
        assert pipe.execute() == [True, 42, []]


@ENGINES
@pytest.mark.parametrize("protocol", [2, 3])
def test_messages_of_a_subscription_arrive(fronts: dict[str, int], engine: str, protocol: int) -> None:
    with client(fronts[engine], protocol) as it, it.pubsub() as listening:
        listening.subscribe("news")
        assert listening.get_message(timeout=10)["type"] == "subscribe"
        with client(fronts[engine]) as other:
            for number in range(50):
                other.publish("news", str(number))
        found = [listening.get_message(timeout=10)["data"] for _ in range(50)]
        assert found == [str(number) for number in range(50)]
        listening.unsubscribe("news")
        assert listening.get_message(timeout=10)["type"] == "unsubscribe"
