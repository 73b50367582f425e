"""A supervisor with real workers, and clients of it."""

import asyncio
import errno
import os
import signal
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from answerback.core.actions import CloseReason
from answerback.document.document import load
from answerback.metrics.snapshot import read_block
from answerback.shared.listener_counters import ACCEPTED, CLOSED, OPEN
from answerback.supervisor import Clock, Options, RevisionStore, Supervisor, Timeouts
from answerback.v1 import config_pb2 as v1

HERE = Path(__file__).parent
QUICK = Timeouts(answer_seconds=1.0, silence_seconds=2.0)
ANY = "127.0.0.1:0"


def faulty(moment: str, fault: str, *, revision: int = 2, slot: int | str = "any") -> tuple[str, ...]:
    """The command of a worker that fails: see faulty_worker.py."""
    return (sys.executable, str(HERE / "faulty_worker.py"), moment, fault, str(revision), str(slot))


def listener(answer: str = "one", *, name: str = "hello", address: str = ANY, more: str = "") -> str:
    """A listener that answers whatever it is sent with a word, and closes."""
    return f"""
- name: {name}
  address: {address}
  rules:
  - do: [{more} {{send: {answer}}}, close]
"""


def text(*listeners: str) -> str:
    return "listeners:" + "".join(listeners or (" []",))


def config(*listeners: str) -> v1.Config:
    document = load(text(*listeners))
    assert not document.problems
    return document.config


@dataclass(frozen=True)
class Edited:
    """An edit by a function."""

    function: Callable[[v1.Config], v1.Config]

    def apply(self, config: v1.Config) -> v1.Config:
        return self.function(config)


class Supervised(Supervisor):
    """A supervisor, with the questions that tests ask."""

    def __init__(
        self,
        path: Path,
        *,
        timeouts: Timeouts = QUICK,
        store: RevisionStore | None = None,
        clock: Clock | None = None,
        **options: Any,
    ) -> None:
        self.path = path
        given: dict[str, Any] = {"config_path": path, "workers": 1} | options
        super().__init__(Options(**given), timeouts=timeouts, store=store, clock=clock)

    def port(self, name: str = "hello") -> int:
        (status,) = [each for each in self.status().listeners if each.name == name]
        return int(status.address.rpartition(":")[2])

    def pids(self) -> list[int]:
        return [worker.pid for worker in self.status().workers]

    def kill(self, slot: int, number: int = signal.SIGKILL) -> int:
        """Send a signal to a worker; its pid."""
        pid = self.pids()[slot]
        os.kill(pid, number)
        return pid

    async def until_replaced(self, slot: int, pid: int) -> None:
        """Until another process than this serves in a slot."""
        await until(lambda: self.status().workers[slot].revision and self.pids()[slot] != pid)

    async def answers(self, name: str = "hello", count: int = 24) -> set[bytes]:
        """The replies to this number of connections, over all slots."""
        port = self.port(name)
        return set(await asyncio.gather(*(asyncio.to_thread(ask, port) for _ in range(count))))

    def closed(self, reason: CloseReason, name: str = "hello") -> int:
        return read_block(self.counters, self.layout.listeners[name])[CLOSED + reason]

    def balance(self, name: str = "hello") -> tuple[int, int, int]:
        """Accepted, closed and open."""
        cells = read_block(self.counters, self.layout.listeners[name])
        return cells[ACCEPTED], sum(cells[CLOSED : CLOSED + len(CloseReason)]), cells[OPEN]


async def until(condition: Callable[[], object], within: float = 30.0) -> None:
    """Wait for a condition. Raises AssertionError after `within` seconds."""
    deadline = monotonic() + within
    while not condition():
        assert monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.002)


def ask(port: int, request: bytes = b"hi\n") -> bytes:
    """The answer of one connection; OSError if it comes to nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(request)
        answer = b""
        while data := client.recv(65536):
            answer += data
        return answer


def refused(port: int) -> bool:
    """Whether nothing listens. A socket that is about to close answers nothing."""
    with socket.socket() as client:
        client.settimeout(0.1)
        return client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


class Asking:
    """Threads that ask all the time: how often each answer came, and what went wrong."""

    def __init__(self, port: int, threads: int = 2, pause: float = 0.002) -> None:
        self.answers: Counter[bytes] = Counter()
        self.errors: list[OSError | bytes] = []
        self._port = port
        self._pause = pause  # the machine is to be shared with the workers
        self._stop = threading.Event()
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _ask(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                answer = ask(self._port)
            except OSError as error:
                self.errors.append(error)
            else:
                self.answers[answer] += 1

    @property
    def failures(self) -> int:
        """Connections that failed, or closed without an answer."""
        return len(self.errors) + self.answers[b""]

    async def more(self, count: int = 50) -> None:
        """Wait until this number of further connections have been answered."""
        enough = self.answers.total() + count
        await until(lambda: self.answers.total() >= enough)

    async def stop(self) -> "Asking":
        self._stop.set()
        for thread in self.threads:
            await asyncio.to_thread(thread.join)
        return self


def reset(client: socket.socket) -> None:
    """Close with RST."""
    with suppress(OSError):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def alive(pid: int) -> bool:
    """Whether there is such a process; a zombie is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
