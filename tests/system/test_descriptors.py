"""More clients than descriptors: the server keeps running, and waiting clients are served later."""

import os
import resource
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics, settled, worker_pids
from tests.waiting import eventually

pytestmark = pytest.mark.long

DESCRIPTORS = 256
CLIENTS = 1000
BACK_OFFS = 20  # of 50 ms: the time over which the workers are watched
each_engine = pytest.mark.parametrize("engine", ["callback", "coroutine"])


@pytest.fixture
def room_for_clients() -> Iterator[None]:
    """Descriptors enough for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CLIENTS + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"the hard limit of descriptors here is {hard}; {needed} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def cpu_seconds(pid: int) -> float:
    """User and system time that a process has taken (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def failures(running: RunningServer) -> float:
    return Metrics.scrape(running.metrics).value("accept_errors_total", listener="line", errno="EMFILE")


class Waiting:
    """Clients that have asked, and have not been answered yet."""

    def __init__(self, where: tuple[str, int], count: int) -> None:
        self.poll = select.poll()
        self.clients: dict[int, socket.socket] = {}
        for _ in range(count):
            client = socket.create_connection(where, 10)
            client.sendall(b"PING\n")
            self.clients[client.fileno()] = client
            self.poll.register(client, select.POLLIN)

    def serve(self) -> int:
        """Take leave of those who were answered; how many that are."""
        answered = [self.clients.pop(fd) for fd, _ in self.poll.poll(0)]
        for client in answered:
            self.poll.unregister(client)
            assert client.recv(100) == b"+PONG\r\n"
            client.close()
        return len(answered)

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


@each_engine
@pytest.mark.usefixtures("room_for_clients")
def test_thousand_clients_of_a_server_with_256_descriptors_are_answered(start_server: Start, engine: str) -> None:
    config = (
        f"listeners: [{{name: line, address: '127.0.0.1:0', engine: {engine}, framing: line,"
        ' rules: [{when: PING, do: [send: "+PONG\\r\\n"]}]}]'
    )
    running = start_server(config, "--workers", "2", under=("sh", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "sh"))
    workers = worker_pids(running)
    waiting = Waiting(running.where(), CLIENTS)
    try:
        eventually(lambda: failures(running) > 0, what="accept failures")

        began, spent, failed = time.monotonic(), sum(map(cpu_seconds, workers)), failures(running)
        eventually(lambda: failures(running) >= failed + BACK_OFFS * len(workers), what="more of them")
        wall = time.monotonic() - began
        assert sum(map(cpu_seconds, workers)) - spent < 0.5 * wall * len(workers)

        served = 0

        def all_served() -> bool:
            nonlocal served
            served += waiting.serve()
            return served == CLIENTS

        eventually(all_served, what=f"all of {CLIENTS} served")
    finally:
        waiting.close()

    metrics = settled(running.metrics, "line")
    assert metrics.value("connections_accepted_total", listener="line") == CLIENTS
    assert metrics.balanced("line")
    assert metrics.total("worker_restarts_total") == 0
    assert metrics.value("workers") == 2
    assert worker_pids(running) == workers
