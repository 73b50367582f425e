"""Counts for each peer over a whole server: exact over workers, also when one is killed, and until a reset."""

import os
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics, worker_pids
from tests.waiting import eventually

pytestmark = pytest.mark.long

ENGINES = pytest.mark.parametrize("engine", ["callback", "coroutine"])
WORKERS = pytest.mark.parametrize("workers", [1, 2])

LISTENERS = """
listeners:
  - name: it
    address: 127.0.0.1:0
    framing: line
    rules:
      - {name: first, when: a, times: 7, scope: PEER, do: [send: "+"]}
      - {name: timed, when: b, times: 3, per: 1h, scope: PEER, do: [send: "+"]}
      - {name: turns, when: c, scope: PEER, replies: {of: [[send: "1"], [send: "2"], [send: "3"]], then: CYCLE}}
      - do: [send: "-"]
    faults:
      - {name: fails, rules: [turns], skip: 2, times: 2, scope: PEER, truncate: {}}
"""
PEERS = [f"127.0.0.{number}" for number in range(2, 7)]


def heard(running: RunningServer, peer: str, request: bytes) -> bytes:
    """One reply, on a connection of its own."""
    with socket.create_connection(running.where(), 10, (peer, 0)) as client:
        client.sendall(request + b"\n")
        return client.recv(1)


def together(running: RunningServer, request: bytes, times: int) -> dict[str, Counter[bytes]]:
    """All peers ask this number of times, at once: the replies to each."""
    asked = [peer for peer in PEERS for _ in range(times)]
    with ThreadPoolExecutor(8) as pool:
        replies = pool.map(lambda peer: heard(running, peer, request), asked)
        found: dict[str, Counter[bytes]] = {peer: Counter() for peer in PEERS}
        for peer, reply in zip(asked, replies, strict=True):
            found[peer][reply] += 1
    return found


def for_each(**replies: int) -> dict[str, Counter[bytes]]:
    return {
        peer: Counter({{"yes": b"+", "no": b"-"}[name]: count for name, count in replies.items()}) for peer in PEERS
    }


@ENGINES
@WORKERS
def test_each_peer_gets_exactly_its_matches_over_all_workers(start_server: Start, engine: str, workers: int) -> None:
    running = start_server(LISTENERS, "--workers", str(workers), "--engine", engine)
    assert together(running, b"a", 12) == for_each(yes=7, no=5)
    assert together(running, b"b", 4) == for_each(yes=3, no=1)
    for peer in PEERS[:2]:
        replies = [heard(running, peer, b"c") for _ in range(6)]
        assert replies == [b"1", b"2", b"", b"", b"2", b"3"], "the third and fourth of each peer are lost"
    metrics = Metrics.scrape(running.metrics)
    assert metrics.value("rule_matches_total", listener="it", rule="first") == 7 * len(PEERS)
    assert metrics.value("faults_applied_total", listener="it", fault="fails") == 4
    assert metrics.value("peer_counts_evicted_total", listener="it") == 0


@ENGINES
def test_counts_of_peers_survive_killed_workers_and_end_with_a_reset(start_server: Start, engine: str) -> None:
    running = start_server(LISTENERS, "--workers", "2", "--engine", engine)
    assert together(running, b"a", 4) == for_each(yes=4)
    for victim in worker_pids(running):
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: victim not in worker_pids(running))  # noqa: B023 - it is called at once
    assert together(running, b"a", 6) == for_each(yes=3, no=3)
    assert running.cli("reset-counters", "--listener", "it", "--rule", "timed").returncode == 0
    assert together(running, b"a", 1) == for_each(no=1)
    assert running.cli("reset-counters").returncode == 0
    assert together(running, b"a", 8) == for_each(yes=7, no=1)


def test_worker_killed_while_peers_count_gives_no_number_twice(start_server: Start) -> None:
    running = start_server(LISTENERS.replace("times: 7", "times: 400"), "--workers", "2")

    def ask(peer: str) -> int:
        """Ask until the numbers are used up; how many answers came."""
        answers = 0
        while True:
            try:
                with socket.create_connection(running.where(), 10, (peer, 0)) as client:
                    while True:
                        client.sendall(b"a\n")
                        reply = client.recv(1)
                        if reply == b"-":
                            return answers
                        if not reply:
                            break
                        answers += 1
            except ConnectionError:
                continue  # its worker was killed

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask, peer) for peer in (PEERS[0], PEERS[0], PEERS[1], PEERS[1])]
        for victim in worker_pids(running):
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: victim not in worker_pids(running))  # noqa: B023 - it is called at once
        answers = [each.result(60) for each in asking]
    # What a killed worker had taken, and not sent, is lost: at most one number for each of its connections.
    for of_peer in (answers[:2], answers[2:]):
        assert 400 - 4 <= sum(of_peer) <= 400
