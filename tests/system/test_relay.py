"""Listeners with an upstream at a real server with two workers."""

import asyncio
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics, settled, worker_pids
from tests.waiting import eventually

ENGINES = pytest.mark.parametrize("engine", ["CALLBACK", "COROUTINE"])
PROGRAM = Path(__file__).with_name("upstreams.py")


@contextmanager
def echoing(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """An echo server in a process of its own."""
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(port)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def config(engine: str, port: int, more: str = "") -> str:
    upstream = f"upstream: '127.0.0.1:{port}'"
    return f"listeners: [{{name: relay, address: '127.0.0.1:0', engine: {engine}, {upstream}{more}}}]"


def counted(port: int) -> tuple[int, int]:
    """The connections and bytes that the upstream has counted."""
    with socket.create_connection(("127.0.0.1", port), 10) as peer:
        peer.sendall(b"COUNT")
        connections, received = peer.recv(100).split()
    return int(connections), int(received)


def closed(metrics: Metrics, reason: str) -> float:
    return metrics.value("connections_closed_total", listener="relay", reason=reason)


@ENGINES
def test_counts_of_both_sides_are_equal(start_server: Start, engine: str) -> None:
    with echoing(free := free_port()):
        running = start_server(config(engine, free), "--workers", "2")
        for number in range(40):
            assert running.ask(b"x" * (number * 1000 + 1)) == b"x" * (number * 1000 + 1)
        metrics = settled(running.metrics, "relay")
        total = sum(number * 1000 + 1 for number in range(40))
        assert counted(free) == (40, total)
        for name in ("received", "sent", "upstream_received", "upstream_sent"):
            assert metrics.value(f"{name}_bytes_total", listener="relay") == total
        assert metrics.value("upstream_connections_total", listener="relay") == 40
        assert metrics.value("upstream_connect_duration_seconds_count", listener="relay") == 40
        assert closed(metrics, "peer_eof") == 40


def test_open_connections_are_listed_and_closed(start_server: Start) -> None:
    with echoing(free := free_port()):
        running = start_server(config("CALLBACK", free))
        with running.connect() as client:
            client.sendall(b"abc")
            assert client.recv(10) == b"abc"
            (line,) = running.cli("connections", "-o", "json").stdout.splitlines()
            shown = json.loads(line)
            assert (shown["listener"], shown["waits_for"], shown["requests"]) == ("relay", "data", 0)
            assert (shown["received_bytes"], shown["sent_bytes"]) == (3, 3)
            assert running.cli("close", "--listener", "relay", "--reset").returncode == 0
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_end_of_a_relayed_connection_is_in_the_journal(start_server: Start) -> None:
    with echoing(free := free_port()):
        running = start_server(config("CALLBACK", free))
        assert running.ask(b"hello") == b"hello"
        settled(running.metrics, "relay")
        (line,) = running.cli("requests", "--events", "-o", "json").stdout.splitlines()
    shown = json.loads(line)
    assert shown["listener"] == "relay"
    assert "peer_eof" in line.lower()


def test_journal_says_when_the_upstream_ended_a_connection(start_server: Start) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as upstream:
        running = start_server(config("CALLBACK", upstream.getsockname()[1]))
        with running.connect() as client:
            peer, _ = upstream.accept()
            peer.close()
            assert client.recv(1) == b""
        settled(running.metrics, "relay")
        with running.connect() as client:
            client.sendall(b"x")
            peer, _ = upstream.accept()
            assert peer.recv(1) == b"x"  # before that, the relay may not know yet that it is connected
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        settled(running.metrics, "relay")
        lines = running.cli("requests", "--events").stdout.splitlines()
    how = [line.split("closed by ")[1].split("  ")[0] for line in lines]
    assert how == ["upstream (upstream_eof, FIN)", "upstream (upstream_reset, RST)"]


def test_new_upstream_is_for_new_connections(start_server: Start, tmp_path: Path) -> None:
    with echoing(first := free_port()), echoing(second := free_port()):
        running = start_server(config("CALLBACK", first), "--workers", "2")
        with running.connect() as old:
            old.sendall(b"old")
            assert old.recv(10) == b"old"
            file = tmp_path / "second.yaml"
            file.write_text(config("CALLBACK", second))
            assert running.cli("apply", str(file)).returncode == 0
            assert running.ask(b"new") == b"new"
            old.sendall(b"still")
            assert old.recv(10) == b"still"
        assert counted(second) == (1, 3)
        assert counted(first) == (1, 8)


@ENGINES
def test_stop_closes_quiet_connections_in_order(start_server: Start, engine: str) -> None:
    with echoing(free := free_port()):
        running = start_server(config(engine, free), "--workers", "2")
        with running.connect() as client:
            client.sendall(b"abc")
            assert client.recv(10) == b"abc"
            running.process.send_signal(signal.SIGTERM)
            assert client.recv(10) == b""
        assert running.process.wait(20) == 0


def test_relay_whose_upstream_is_rejected_is_not_started(start_server: Start) -> None:
    with pytest.raises(AssertionError, match="leads back to this listener"):
        start_server("listeners: [{name: a, address: '127.0.0.1:7999', upstream: 'localhost:7999'}]")


LOCAL = b"local\n"
REMOTE = b"x" * 93 + b"\n"
RULES = ', framing: line, rules: [{name: local, when: local, do: [send: "local\\n"]}]'
RULED = pytest.mark.parametrize("rules", ["", RULES], ids=["stream", "rules"])


async def visit(where: tuple[str, int], outcomes: dict[str, int]) -> None:
    """One client: its bytes come back, from the upstream or by a rule, or it is reset."""
    outcome = "reset"
    with suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection(*where)
        try:
            writer.write(LOCAL + REMOTE)
            got = await reader.readexactly(len(LOCAL + REMOTE))
            outcome = "served" if got in (LOCAL + REMOTE, REMOTE + LOCAL) else "wrong"
        finally:
            writer.close()
    outcomes[outcome] = outcomes.get(outcome, 0) + 1


async def load(where: tuple[str, int], seconds: float, outcomes: dict[str, int]) -> int:
    """Some 500 clients a second; how many there were."""
    loop = asyncio.get_running_loop()
    until, clients = loop.time() + seconds, []
    while loop.time() < until:
        clients += [loop.create_task(visit(where, outcomes)) for _ in range(10)]
        await asyncio.sleep(0.02)
    await asyncio.gather(*clients)
    return len(clients)


@pytest.mark.long
@ENGINES
@RULED
def test_counts_hold_while_the_upstream_is_killed_and_started_under_load(
    start_server: Start, engine: str, rules: str
) -> None:
    port = free_port()
    running = start_server(config(engine, port, rules), "--workers", "2")
    outcomes: dict[str, int] = {}

    def kill_and_start() -> None:
        for _ in range(3):
            with echoing(port):
                wait_for_more("served", 100)
            wait_for_more("reset", 20)

    def wait_for_more(outcome: str, number: int) -> None:
        wanted = outcomes.get(outcome, 0) + number
        eventually(lambda: outcomes.get(outcome, 0) >= wanted, what=f"{number} clients more are {outcome}")

    async def both() -> int:
        changing = asyncio.create_task(asyncio.to_thread(kill_and_start))
        clients = 0
        while not changing.done():
            clients += await load(running.where(), 0.5, outcomes)
        await changing
        return clients

    came = asyncio.run(both())
    metrics = settled(running.metrics, "relay")
    assert outcomes["served"] + outcomes["reset"] == came
    assert metrics.value("connections_accepted_total", listener="relay") == came
    assert metrics.balanced("relay")
    failed = metrics.total("upstream_connect_errors_total", listener="relay")
    assert failed == closed(metrics, "upstream_down") > 0
    assert failed == metrics.value("upstream_connect_errors_total", listener="relay", errno="ECONNREFUSED") + (
        metrics.value("upstream_connect_errors_total", listener="relay", errno="ECONNRESET")
    )
    left = sum(closed(metrics, reason) for reason in ("peer_reset", "peer_eof", "upstream_eof", "upstream_reset"))
    assert failed + left == came
    assert metrics.value("session_errors_total", listener="relay") == 0


@pytest.mark.long
@ENGINES
@RULED
def test_counts_hold_when_a_worker_is_killed_under_load(start_server: Start, engine: str, rules: str) -> None:
    with echoing(free := free_port()):
        running = start_server(config(engine, free, rules), "--workers", "2")
        idle = [running.connect() for _ in range(20)]
        for client in idle:
            client.sendall(b"\n")
            assert client.recv(1) == b"\n"
        outcomes: dict[str, int] = {}

        async def both() -> int:
            clients = 0
            for pid in worker_pids(running):
                killing = asyncio.get_running_loop().call_later(0.5, os.kill, pid, signal.SIGKILL)
                clients += await load(running.where(), 1.5, outcomes)
                killing.cancel()
                await asyncio.to_thread(eventually, lambda old=pid: old not in worker_pids(running))
            return clients

        came = asyncio.run(both())
        for client in idle:
            client.close()
        metrics = settled(running.metrics, "relay")
        assert outcomes["served"] + outcomes.get("reset", 0) == came
        assert metrics.balanced("relay")
        assert closed(metrics, "worker_crashed") >= 20
        assert metrics.value("session_errors_total", listener="relay") == 0
        if rules:
            # A worker may be killed before it has counted a request that it has answered.
            answered = metrics.value("rule_matches_total", listener="relay", rule="local")
            assert outcomes["served"] - outcomes.get("reset", 0) <= answered <= came
        assert running.ask(b"again\n") == b"again\n"
        connections, received = counted(free)
        made = settled(running.metrics, "relay").value("upstream_connections_total", listener="relay")
        # A worker may be killed before it has counted, or before the upstream has accepted.
        assert abs(made - connections) <= outcomes.get("reset", 0)
        passed = len(REMOTE) if rules else len(LOCAL + REMOTE)
        assert received >= outcomes["served"] * passed + 20


def peak_kib(running: RunningServer) -> int:
    """The most memory that a worker has had so far."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in worker_pids(running)]
    return max(int(text.split("VmHWM:")[1].split()[0]) for text in status)


@pytest.mark.long
@ENGINES
def test_slow_client_of_a_fast_upstream_gets_one_gibibyte_in_bounded_memory(start_server: Start, engine: str) -> None:
    """The client reads 64 MiB, and then nothing until the upstream has been stopped; sixteen times."""
    block = bytes(1 << 20)
    sent = [0]
    part = 64 * len(block)

    def speak(peer: socket.socket, blocks: int) -> None:
        with peer:
            for _ in range(blocks):
                peer.sendall(block)
                sent[0] += 1

    def stopped() -> bool:
        before = sent[0]
        time.sleep(0.1)  # noqa: TID251 - only the absence of progress shows that it is stopped
        return sent[0] == before

    def transfer(blocks: int) -> None:
        with running.connect() as client:
            peer, _ = upstream.accept()
            speaker = threading.Thread(target=speak, args=(peer, blocks))
            speaker.start()
            into, got = bytearray(len(block)), 0
            while read := client.recv_into(into):
                if got // part != (got := got + read) // part:
                    eventually(stopped, what="the upstream is stopped")
            assert got == blocks * len(block)
            speaker.join(10)

    with socket.create_server(("127.0.0.1", free_port())) as upstream:
        running = start_server(config(engine, upstream.getsockname()[1]))
        transfer(64)
        before = peak_kib(running)
        transfer(1024)
        assert peak_kib(running) - before < 2048
    metrics = settled(running.metrics, "relay")
    assert metrics.value("sent_bytes_total", listener="relay") == 1088 << 20
