"""What clients lose when workers are killed (SIGKILL) at thousands of connections a second.

Connections are begun at a fixed rate, whatever the server does. One that waits in the queue of a dead worker is to be
served by its successor; only connections that a worker had accepted may fail, and the metrics must count them.
"""

# Rule: nothing slows the clients down: a connection is begun when it is due.

import os
import re
import selectors
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

from bench.books import astray
from bench.cpu import descendants
from bench.load import REPLY, REQUEST, LoadFailed
from bench.results import Kills
from bench.server import Server
from bench.startup import scrape

RATE = 2_500.0  # connections begun a second; what is promised is promised at 2,000
WORKERS = 2
KILLS = 4  # one more in a minute, and the server reports that it is not serving
APART_S = 1.5  # from kill to kill: time for a successor
PATIENCE_S = 10  # for the last connections, and for the counters to come to rest
AT_ONCE = 128  # connections begun before those that are open are looked after

_CRASHED = re.compile(r'^answerback_connections_closed_total\{[^}]*reason="worker_crashed"[^}]*\} (\S+)', re.MULTILINE)


@dataclass(slots=True)
class Clients:
    """One request a connection, at a rate, from a single thread; the client closes."""

    port: int
    rate: float
    begun: int = 0
    answered: int = 0
    failed: int = 0
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self, seconds: float) -> float:
        """Begin connections for so long; the rate that was reached, a second."""
        start = now = time.monotonic()
        end = start + seconds
        while (now := time.monotonic()) < end:
            for _ in range(min(int((now - start) * self.rate) - self.begun, AT_ONCE)):
                self._begin()
            self._look(1 / self.rate)
        rate = self.begun / (now - start)
        while self._selector.get_map() and time.monotonic() < end + PATIENCE_S:
            self._look(0.1)
        self.failed += len(self._selector.get_map())
        for key in tuple(self._selector.get_map().values()):
            self._close(key.fileobj)
        return rate

    def _begin(self) -> None:
        self.begun += 1
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", self.port))  # the result is known when the socket is writable
        self._selector.register(sock, selectors.EVENT_WRITE)

    def _look(self, timeout: float) -> None:
        for key, events in self._selector.select(timeout):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                if events & selectors.EVENT_WRITE:
                    sock.send(REQUEST)
                    self._selector.modify(sock, selectors.EVENT_READ)
                    continue
                heard = sock.recv(len(REPLY))
            except OSError:
                heard = b""
            self.answered += heard == REPLY
            self.failed += heard != REPLY
            self._close(sock)

    def _close(self, sock: object) -> None:
        assert isinstance(sock, socket.socket)
        self._selector.unregister(sock)
        sock.close()


def measure_kills(server: Server, kills: int = KILLS, rate: float = RATE) -> Kills:
    """Kill a worker at intervals under load, each slot in turn; raises LoadFailed, OSError or CouldNotRun."""
    clients = Clients(server.port, rate)
    alarms = iter(range(kills))

    def kill(*_: object) -> None:
        number = next(alarms, None)
        workers = sorted(descendants(server.pid))
        if number is not None and workers:
            with suppress(ProcessLookupError):
                os.kill(workers[number % len(workers)], signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, APART_S, APART_S)
    try:
        reached = clients.run(APART_S * (kills + 1))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    crashed, imbalance = settled(server)
    return Kills(kills, reached, clients.answered, clients.failed, crashed, imbalance)


def settled(server: Server) -> tuple[int, float]:
    """How many connections crashed, and how many are in no book once nothing is open any more."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        page = scrape(server.metrics_port)
        imbalance = astray(page)
        if imbalance == 0 or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    if imbalance is None:
        raise LoadFailed("/metrics has no connections")
    return int(sum(float(value) for value in _CRASHED.findall(page))), imbalance
