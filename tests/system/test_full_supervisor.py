"""The admin and metrics ports have all the connections they may: the supervisor still replaces workers."""

import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from answerback.net import fd_reserve
from tests.descriptors import open_descriptors
from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics, worker_pids
from tests.waiting import eventually

DESCRIPTORS = 96
CONNECTIONS = 120  # to each port: more than all descriptors of the process
LISTENERS = "listeners: [{name: echo, address: '127.0.0.1:0', framing: line, rules: [{do: [echo]}]}]"


@pytest.fixture
def strangers() -> Iterator[ExitStack]:
    """Room for many connections, which are closed at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 3 * CONNECTIONS + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"the hard limit of descriptors here is {hard}; {needed} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    with ExitStack() as stack:
        yield stack
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def fill(address: str, strangers: ExitStack, said: bytes) -> None:
    """Connect until the kernel refuses, and stay connected."""
    host, _, port = address.rpartition(":")
    for _ in range(CONNECTIONS):
        client = strangers.enter_context(socket.socket())
        client.settimeout(2)
        with suppress(OSError):  # the queue may be full
            client.connect((host, int(port)))
            client.sendall(said)


def soft_limit(pid: int) -> int:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def start(start_server: Start) -> RunningServer:
    return start_server(LISTENERS, "--workers", "2", under=("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh"))


def test_worker_is_replaced_while_admin_and_metrics_ports_are_full(start_server: Start, strangers: ExitStack) -> None:
    running = start(start_server)
    workers, before = worker_pids(running), open_descriptors(running.process.pid)
    fill(running.metrics, strangers, b"GET /healthz HTTP/1.1\r\n")
    fill(running.admin, strangers, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")  # a whole HTTP/2 preface
    assert Metrics.scrape(running.metrics).value("workers") == 2  # what was accepted before is counted now
    bound = 2 * fd_reserve.LEAST + 4  # and what is being closed
    assert open_descriptors(running.process.pid) <= before + bound < soft_limit(running.process.pid)
    os.kill(workers[0], signal.SIGKILL)
    running.told(part="serves again")
    assert running.ask(b"hi\n") == b"hi"
    assert not [line for line in running.lines() if "cannot be started" in line["message"]]


def test_metrics_port_answers_while_all_its_places_are_taken(start_server: Start, strangers: ExitStack) -> None:
    running = start(start_server)
    fill(running.metrics, strangers, b"GET /metrics HTTP/1.1\r\n")
    fill(running.admin, strangers, b"")
    assert Metrics.scrape(running.metrics).value("workers") == 2


def test_worker_is_replaced_at_the_soft_descriptor_limit(start_server: Start) -> None:
    running = start(start_server)
    pid = running.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())
    workers = worker_pids(running)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(highest, open_descriptors(pid)), hard))  # nothing more fits in
    os.kill(workers[1], signal.SIGKILL)
    running.told(part="serves again")
    eventually(lambda: running.ask(b"hi\n") == b"hi", what="an answer")
