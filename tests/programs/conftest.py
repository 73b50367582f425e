"""A server for real client programs."""

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.waiting import eventually

ANSWERBACK = Path(sys.executable).with_name("answerback")


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A running `answerback serve`: where its first listener, its API and its metrics are."""

    port: int
    admin: int
    metrics: int

    def scrape(self) -> str:
        """The exposition, as Prometheus gets it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics") as answer:
            return str(answer.read().decode())


Serve = Callable[[str], RunningServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serve a configuration in which PORT stands for the first listener's port."""
    with ExitStack() as stack:

        def start(config: str) -> RunningServer:
            server = RunningServer(free_port(), free_port(), free_port())
            stack.enter_context(serving(server, config.replace("PORT", str(server.port)), tmp_path))
            return server

        yield start


@contextmanager
def serving(server: RunningServer, config: str, folder: Path) -> Iterator[None]:
    """A process that serves a configuration for the length of the block."""
    file = folder / "config.yaml"
    file.write_text(config)
    command = [str(ANSWERBACK), "serve", "--config", str(file), "--workers", "2"]
    command += ["--admin", f"127.0.0.1:{server.admin}", "--metrics", f"127.0.0.1:{server.metrics}"]
    with running(command, folder / "answerback.log"):
        health = [str(ANSWERBACK), "health", "--metrics", f"127.0.0.1:{server.metrics}"]
        eventually(
            lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0,
            what="the server is ready",
        )
        yield


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """A process for the length of the block, ended in order; what it says goes to `log`."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
