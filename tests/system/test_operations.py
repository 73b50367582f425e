"""Drains, restarts and changes of single listeners on whole servers: no reply is lost, the counters balance."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
from grpc import aio

from answerback.v1 import listener_service_pb2 as pb
from answerback.v1.listener_service_pb2_grpc import ListenerServiceStub
from tests.system.conftest import ANSWERBACK, RunningServer, Start
from tests.system.scraping import Metrics, settled, worker_pids
from tests.waiting import eventually

pytestmark = pytest.mark.long

CONFIG = """
listeners:
  - {name: kept, address: "127.0.0.1:0", framing: line, rules: [{do: [{send: "one\\n"}]}]}
  - {name: once, address: "127.0.0.1:0", rules: [{do: [{send: one}, close]}]}
"""
CLIENTS = 200
ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """What closes the connections of a test."""
    with ExitStack() as stack:
        yield stack


def conversing(running: RunningServer, clients: ExitStack) -> list[socket.socket]:
    """Connections, each of which has been answered once."""
    found = [clients.enter_context(running.connect("kept")) for _ in range(CLIENTS)]
    for client in found:
        client.sendall(b"hi\n")
    assert {client.recv(100) for client in found} == {b"one\n"}
    return found


def drained(running: RunningServer, *words: str) -> list[dict[str, int | str]]:
    """What `answerback drain` says."""
    done = running.cli("drain", "-o", "json", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Asking:
    """Threads that connect, ask and read to the end, without pause."""

    def __init__(self, running: RunningServer, threads: int = 8) -> None:
        self.answers = 0
        self.lost: list[object] = []
        self._running = running
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        while not self._over.wait(0.002):  # the machine is to be shared with the workers
            try:
                answer = self._running.ask(b"hi", "once")
            except OSError as error:
                self.lost.append(error)
                continue
            with self._lock:
                self.answers += answer == b"one"
                self.lost += [] if answer == b"one" else [answer]

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@ENGINES
def test_drain_of_200_connections_is_gradual_and_loses_no_reply(
    start_server: Start, clients: ExitStack, engine: str
) -> None:
    running = start_server(CONFIG, "--workers", "2", "--engine", engine)
    peers = conversing(running, clients)
    said = drained(running, "--over", "3s")
    assert (said[-1]["state"], said[-1]["connections_closed"]) == ("DRAIN_STATE_DRAINED", CLIENTS)
    closed = [int(one["connections_closed"]) for one in said]
    assert closed == sorted(closed)
    steps = [later - earlier for earlier, later in pairwise(closed)]
    assert len([step for step in steps if step]) >= 5, "not all of them at once"
    assert {peer.recv(10) for peer in peers} == {b""}
    metrics = Metrics.scrape(running.metrics)
    assert metrics.value("connections_accepted_total", listener="kept") == CLIENTS
    assert metrics.value("requests_total", listener="kept") == CLIENTS
    assert metrics.value("connections_closed_total", listener="kept", reason="drain") == CLIENTS
    assert metrics.balanced("kept")
    with pytest.raises(ConnectionRefusedError):
        running.connect("once")
    assert running.cli("health").returncode == 1
    assert running.cli("resume").stdout == "listening again: kept, once\n"
    assert running.cli("health").returncode == 0
    assert running.ask(b"hi", "once") == b"one"
    assert running.stop() == 0


def test_drain_completes_although_workers_are_killed(start_server: Start, clients: ExitStack) -> None:
    running = start_server(CONFIG, "--workers", "2")
    conversing(running, clients)
    env = {**os.environ, "ANSWERBACK_SERVER": running.admin}
    draining = subprocess.Popen([*ANSWERBACK, "drain", "--over", "1h"], env=env, stdout=subprocess.PIPE, text=True)
    eventually(lambda: running.status()["state"] == "STATE_DRAINING", what="draining")
    eventually(lambda: all(one["drain"] == "DRAIN_STATE_DRAINED" for one in running.status()["listeners"][1:]))
    for pid in worker_pids(running):
        os.kill(pid, signal.SIGKILL)
    said, _ = draining.communicate(timeout=60)
    assert draining.returncode == 0
    assert said.splitlines()[-1].startswith("drained: ")
    metrics = Metrics.scrape(running.metrics)
    assert metrics.value("connections_closed_total", listener="kept", reason="worker_crashed") == CLIENTS
    assert metrics.balanced("kept")
    with pytest.raises(ConnectionRefusedError):
        running.connect("once")
    assert running.cli("resume").returncode == 0
    assert running.ask(b"hi", "once") == b"one"


def test_sigterm_during_a_drain_ends_the_server(start_server: Start, clients: ExitStack) -> None:
    running = start_server(CONFIG, "--workers", "2")
    peers = conversing(running, clients)
    env = {**os.environ, "ANSWERBACK_SERVER": running.admin}
    draining = subprocess.Popen([*ANSWERBACK, "drain", "--over", "1h"], env=env, stderr=subprocess.PIPE, text=True)
    eventually(lambda: running.status()["state"] == "STATE_DRAINING", what="draining")
    assert running.stop() == 0
    assert {peer.recv(10) for peer in peers} == {b""}, "in order, not by reset"
    _, errors = draining.communicate(timeout=60)
    assert (draining.returncode, errors.startswith("Error: ")) == (1, True)


@ENGINES
def test_restart_under_a_connect_loop_loses_no_client(start_server: Start, engine: str) -> None:
    running = start_server(CONFIG, "--workers", "2", "--engine", engine)
    before = worker_pids(running)
    asking = Asking(running)
    eventually(lambda: asking.answers > 50, what="answers")
    done = running.cli("restart")
    answers = asking.answers
    eventually(lambda: asking.answers > answers + 50, what="answers of the successors")
    asking.stop()
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4), done.stderr
    assert not set(before) & set(worker_pids(running))
    assert asking.lost == []
    metrics = settled(running.metrics, "once")
    assert metrics.value("connections_accepted_total", listener="once") == asking.answers
    assert metrics.value("requests_total", listener="once") == asking.answers
    assert metrics.balanced("once")


async def test_concurrent_listener_changes_are_all_applied(start_server: Start) -> None:
    running = start_server(CONFIG, "--workers", "2")
    names = [f"listener-{number}" for number in range(12)]

    async def create_and_change(stub: Any, name: str) -> int:
        listener = pb.GetListenerResponse().listener
        listener.name, listener.address = name, "127.0.0.1:0"
        first = await stub.CreateListener(pb.CreateListenerRequest(listener=listener))
        listener.rules.add().do.add().send.text = name
        second = await stub.UpdateListener(pb.UpdateListenerRequest(listener=listener))
        assert second.revision > first.revision
        return int(second.revision)

    async with aio.insecure_channel(running.admin) as channel:
        stub: Any = ListenerServiceStub(channel)
        revisions = await asyncio.gather(*(create_and_change(stub, name) for name in names))
        listed = await stub.ListListeners(pb.ListListenersRequest())
    assert len(set(revisions)) == len(names)
    assert listed.revision == max(revisions) == 1 + 2 * len(names)
    found = {one.name: one.rules[0].do[0].send.text for one in listed.listeners if one.name in names}
    assert found == {name: name for name in names}
