"""Real `answerback serve` processes, started on free ports and ended by the test that started them."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from answerback.cli import output
from answerback.cli.client import connected
from tests.waiting import eventually

START_SECONDS = (
    100.0  # with all examples it took more than 30 on a machine with ten times as much to do as it has cores
)
CALL_SECONDS = 20.0
STOP_SECONDS = 20.0
ECHO = "listeners: [{name: echo, address: '127.0.0.1:0', framing: line, rules: [{do: [echo]}]}]"


@dataclass
class RunningServer:
    """One running `answerback serve`: where it listens, and what it has logged."""

    process: subprocess.Popen[bytes]
    log: Path
    config: Path
    admin: str = ""
    """HOST:PORT of the admin API."""
    metrics: str = ""
    """HOST:PORT of metrics and probes."""
    listeners: dict[str, str] = field(default_factory=dict)
    """HOST:PORT by name."""

    def where(self, listener: str = "") -> tuple[str, int]:
        """Host and port of a listener, of the first one unless named."""
        host, _, port = self.listeners[listener or next(iter(self.listeners))].rpartition(":")
        return {"0.0.0.0": "127.0.0.1"}.get(host, host).strip("[]"), int(port)

    def connect(self, listener: str = "", timeout: float = 10.0) -> socket.socket:
        """A connection to a listener."""
        return socket.create_connection(self.where(listener), timeout)

    def ask(self, request: bytes, listener: str = "") -> bytes:
        """The reply to some bytes, up to the close of the server."""
        with self.connect(listener) as peer:
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: peer.recv(65536), b""))

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines() if line.startswith("{")]

    def told(self, count: int = 1, *, part: str = "", **fields: str) -> list[dict[str, Any]]:
        """The lines with these fields, and `part` in their message, once there is this number of them.

        What is logged is written by a thread of its own, and may come after the answer to what it was logged for.
        """

        def lines() -> list[dict[str, Any]]:
            alike = (line for line in self.lines() if all(line.get(name) == value for name, value in fields.items()))
            return [line for line in alike if part in line["message"]]

        eventually(lambda: len(lines()) >= count, what=f"{count} lines of {fields} with {part!r}")
        return lines()

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The lines with this message."""
        return [line for line in self.lines() if line["message"] == message]

    def status(self) -> dict[str, Any]:
        """What GetStatus answers, as plain data."""
        with connected(self.admin, CALL_SECONDS) as client:
            return output.plain(client.get_status())

    def cli(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another `answerback` command against it."""
        env = {**os.environ, "ANSWERBACK_SERVER": self.admin, "ANSWERBACK_METRICS": self.metrics}
        return subprocess.run([*ANSWERBACK, *args], env=env, input=stdin, capture_output=True, text=True, check=False)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """End it in order; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(STOP_SECONDS)


ANSWERBACK = (sys.executable, "-m", "answerback.cli")
Start = Callable[..., RunningServer]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Start]:
    """Start `answerback serve` with a configuration (YAML) and further arguments; it is ended after the test.

        def test_it(server):
            config = "listeners: [{name: a, address: '127.0.0.1:0', rules: [{do: [echo]}]}]"
            running = server(config, "--workers", "2")
            assert running.ask(b"hi") == b"hi"
            assert running.stop() == 0

    Addresses of port 0 get a free port, `--admin` and `--metrics` too, which need not be given; `running.listeners`,
    `.admin` and `.metrics` say which. The log is JSON, `running.told()` waits for lines. With one worker unless told.
    `under` is a command to run it under (`("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")`). AssertionError, with the
    log, if it does not come up.
    """
    with ExitStack() as stack:

        def start(config: str = ECHO, *args: str, under: Sequence[str] = ()) -> RunningServer:
            number = len(list(tmp_path.glob("*.log")))
            file = tmp_path / f"answerback-{number}.yaml"
            file.write_text(config)
            running = launch(file, tmp_path / f"answerback-{number}.log", *args, under=under)
            stack.callback(end, running)
            await_listening(running)
            return running

        yield start


def launch(config: Path, log: Path, *args: str, under: Sequence[str] = ()) -> RunningServer:
    """Start `answerback serve` and wait for nothing."""
    given = ("--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1", "--log-format", "json")
    command = (*under, *ANSWERBACK, "serve", "--config", str(config), *given, *args)
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    return RunningServer(process, log, config)


def await_listening(running: RunningServer) -> None:
    """Wait until it has said that it serves, and where; one that cannot ends by itself."""
    ended = running.process.poll
    eventually(lambda: running.logged("serving") or ended() is not None, within=START_SECONDS, what="serving")
    assert running.logged("serving"), running.log.read_text()
    for line in running.logged("listening"):
        match line["kind"]:
            case "listener":
                running.listeners[line["listener"]] = line["address"]
            case "admin":
                running.admin = line["address"]
            case "metrics":
                running.metrics = line["address"]


def end(running: RunningServer) -> None:
    """Kill it if the test has not stopped it; its workers must follow (they watch the link)."""
    running.process.kill()
    running.process.wait()
