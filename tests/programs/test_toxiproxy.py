"""Clients of Toxiproxy, as they are, drive Answerback in front of a real Redis, on both engines."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.programs.conftest import ANSWERBACK, running
from tests.waiting import eventually

pytestmark = pytest.mark.programs

HERE = Path(__file__).parent
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis without a disk; its address."""
    if not shutil.which("redis-server"):
        pytest.skip("needs redis-server")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    with running(
        ["redis-server", "--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder)], folder / "log"
    ):
        yield f"{HOST}:{port}"


@pytest.fixture(params=["callback", "coroutine"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of the API of a server with two workers and no listener of its own."""
    config, ports = tmp_path / "answerback.yaml", [str(free_port()) for _ in range(3)]
    config.write_text("listeners: []")
    admin, metrics, api = (f"{HOST}:{port}" for port in ports)
    command = [str(ANSWERBACK), "serve", "--config", str(config), "--workers", "2", "--engine", request.param]
    with running([*command, "--admin", admin, "--metrics", metrics, "--toxiproxy-api", api], tmp_path / "log"):
        health = [str(ANSWERBACK), "health", "--metrics", metrics]
        eventually(lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0, what="it is ready")
        yield api


def drive(*command: str) -> None:
    """Run a program that is done when all of its calls had the effect that they should have."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


def lacks(modules: Sequence[str]) -> bool:
    return any(importlib.util.find_spec(module) is None for module in modules)


@pytest.mark.skipif(lacks(["toxiproxy"]), reason="needs toxiproxy-python")
def test_toxiproxy_python_sees_the_effect_of_every_call(api: str, redis: str) -> None:
    drive(sys.executable, "-W", "ignore", str(HERE / "toxiproxy_calls.py"), api, redis)


@pytest.mark.skipif(not (HERE / "node/node_modules/toxiproxy-node-client").exists(), reason="needs npm ci")
def test_toxiproxy_node_client_sees_the_effect_of_every_call(api: str, redis: str) -> None:
    drive("node", str(HERE / "node/toxiproxy.js"), f"http://{api}", redis)
