"""Faults over a whole server: exact over workers, also when one is killed, and counted."""

import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from answerback.document.document import load
from answerback.document.encode import dump
from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics, worker_pids
from tests.waiting import eventually

pytestmark = pytest.mark.long

ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])

FAULTY = """
listeners:
  - name: it
    address: 127.0.0.1:0
    framing: line
    random_seed: 11
    rules: [{do: [send: "0123456789"]}]
    faults:
      - {name: recovers, skip: 3, times: 7, every: 2, reset: {}}
      - {name: wrong, target: CONNECTION, probability: 0.5, corrupt: {bytes: 2}}
      - {name: off, probability: 0, drop: {}}
"""


def heard(running: RunningServer) -> bytes | None:
    """The part of ten bytes that one connection receives; None for a reset."""
    with running.connect() as peer:
        peer.sendall(b"x\n")
        try:
            return peer.recv(10, socket.MSG_WAITALL)
        except ConnectionResetError:
            return None


def strikes(running: RunningServer, fault: str) -> float:
    return Metrics.scrape(running.metrics).value("faults_applied_total", listener="it", fault=fault)


@ENGINES
def test_fault_counts_are_exact_over_all_workers(start_server: Start, engine: str) -> None:
    running = start_server(FAULTY, "--workers", "2", "--engine", engine)
    found = [heard(running) for _ in range(12)]
    victim = worker_pids(running)[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in worker_pids(running))
    found += [heard(running) for _ in range(12)]
    # Replies are numbered from 0 over all workers, whichever worker sends them or dies.
    assert [number for number, reply in enumerate(found) if reply is None] == [4, 6, 8, 10, 12, 14, 16]
    assert strikes(running, "recovers") == 7
    wrong = sum(reply not in {None, b"0123456789"} for reply in found)
    assert strikes(running, "wrong") == wrong
    assert 0 < wrong < 17
    assert strikes(running, "off") == 0


WINDOWS = """
listeners:
  - name: it
    address: 127.0.0.1:0
    framing: line
    rules:
      - {times: 5, per: 1h, do: [send: "0123456789", close]}
      - do: [reset]
    faults: [{times: 2, per: 1h, drop: {}}]
"""


@ENGINES
def test_windows_are_shared_by_all_workers_and_end_with_a_reset(start_server: Start, engine: str) -> None:
    running = start_server(WINDOWS, "--workers", "2", "--engine", engine)

    def answers(connections: int) -> tuple[int, float]:
        before = strikes(running, "faults[0]")
        with ThreadPoolExecutor(4) as pool:
            found = [*pool.map(lambda _: heard(running), range(connections))]
        assert {*found} <= {None, b"", b"0123456789"}
        return sum(reply is not None for reply in found), strikes(running, "faults[0]") - before

    assert answers(12) == (5, 2)
    victim = worker_pids(running)[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in worker_pids(running))
    assert answers(8) == (0, 0), "the window outlives the worker"
    assert running.cli("reset-counters").returncode == 0
    assert answers(12) == (5, 2)


def test_fault_count_continues_through_unrelated_changes(start_server: Start, tmp_path: Path) -> None:
    running = start_server(FAULTY, "--workers", "2")
    assert [heard(running) is None for _ in range(5)] == [False, False, False, False, True]
    text = running.cli("show").stdout
    assert load(text).config == load(FAULTY).config

    def applied(text: str) -> None:
        file = tmp_path / "changed.yaml"
        file.write_text(text)
        done = running.cli("apply", str(file))
        assert done.returncode == 0, done.stderr

    changed = load(text).config
    changed.listeners[0].rules[0].do[0].send.text = "another"
    applied(dump(changed))
    assert [heard(running) is None for _ in range(4)] == [False, True, False, True]
    changed.listeners[0].faults[0].skip = 1
    applied(dump(changed))
    assert [heard(running) is None for _ in range(4)] == [False, False, True, False]


@ENGINES
def test_server_with_same_seed_repeats_its_faults(start_server: Start, engine: str) -> None:
    def conversation() -> list[bytes | None]:
        running = start_server(FAULTY, "--workers", "1", "--engine", engine)
        found = [heard(running) for _ in range(20)]
        assert running.stop() == 0
        return found

    assert conversation() == conversation()


def test_hung_connection_is_closed_when_the_server_stops(start_server: Start) -> None:
    running = start_server(
        "listeners: [{name: it, address: '127.0.0.1:0', framing: line, rules: [{do: [echo]}], faults: [hang]}]",
        "--grace",
        "0.1s",
    )
    with running.connect() as peer:
        peer.sendall(b"x\n")
        eventually(
            lambda: Metrics.scrape(running.metrics).value("faults_applied_total", listener="it", fault="faults[0]")
        )
        assert running.stop() == 0
        peer.settimeout(10)
        assert peer.recv(1) == b"", "closed in order"
