"""Clients of Toxiproxy, as they are, drive Answerback in front of a real Redis, on both engines."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.programs.conftest import ANSWERBACK, running
from tests.waiting import eventually

pytestmark = pytest.mark.programs

NODE = Path(__file__).with_name("node")
ROOT = Path(__file__).parents[2]
CONTAINER_PORTS = (8666, 8667)
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


@pytest.fixture(params=["callback", "coroutine"], scope="module")
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the API of a server with two workers and no listener of its own; tests leave no proxy there."""
    folder, ports = tmp_path_factory.mktemp("answerback"), [str(free_port()) for _ in range(3)]
    config = folder / "answerback.yaml"
    config.write_text("listeners: []")
    admin, metrics, api = (f"{HOST}:{port}" for port in ports)
    command = [str(ANSWERBACK), "serve", "--config", str(config), "--workers", "2", "--engine", request.param]
    with running([*command, "--admin", admin, "--metrics", metrics, "--toxiproxy-api", api], folder / "log"):
        health = [str(ANSWERBACK), "health", "--metrics", metrics]
        eventually(lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0, what="it is ready")
        yield api


def drive(*command: str, **environment: str) -> None:
    """Run a program that is done when all of its calls had the effect that they should have."""
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT, env={**os.environ, **environment}
    )
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


def needs(*modules: str) -> pytest.MarkDecorator:
    """A test needs Python packages, which this Python may not have."""
    lacking = any(importlib.util.find_spec(module) is None for module in modules)
    return pytest.mark.skipif(lacking, reason=f"needs {', '.join(modules)}")


def needs_node(module: str) -> pytest.MarkDecorator:
    """A test needs a Node package."""
    return pytest.mark.skipif(not (NODE / "node_modules" / module).exists(), reason="needs npm ci")


def in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return True
        return False


@needs("toxiproxy")
def test_toxiproxy_python_sees_the_effect_of_every_call(api: str, redis: str) -> None:
    drive(sys.executable, "-W", "ignore", "-m", "tests.programs.toxiproxy_calls", api, redis)


@needs("chaostoxi", "chaoslib")
def test_chaostoolkit_sees_the_effect_of_every_action_and_probe(api: str, redis: str) -> None:
    drive(sys.executable, "-W", "ignore", "-m", "tests.programs.toxiproxy_chaos", api, redis)


@needs_node("toxiproxy-node-client")
def test_toxiproxy_node_client_sees_the_effect_of_every_call(api: str, redis: str) -> None:
    drive("node", str(NODE / "toxiproxy.js"), f"http://{api}", redis)


@needs_node("toxiproxy-node")
def test_a_client_of_toxiproxy_1_gets_what_toxiproxy_2_answers(api: str, redis: str) -> None:
    drive("node", str(NODE / "toxiproxy_1.js"), f"http://{api}", redis)


@needs_node("@testcontainers/toxiproxy")
def test_the_module_of_testcontainers_sees_the_effect_of_every_call(api: str, redis: str) -> None:
    if any(in_use(port) for port in CONTAINER_PORTS):
        pytest.skip("the ports of Toxiproxy's container are in use")
    drive("node", str(NODE / "toxiproxy_container.js"), redis, TOXIPROXY_API=api)
