"""Listeners and the admin API on Unix sockets, with real processes."""

import os
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.conftest import Start
from tests.system.scraping import Metrics, worker_pids
from tests.waiting import eventually

pytestmark = pytest.mark.long


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not as deep as pytest's: a socket's path is short."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def config(*paths: Path, answer: str = "one", engine: str = "CALLBACK") -> str:
    listeners = "".join(
        f"\n- {{name: it{index}, address: 'unix:{path}', engine: {engine}, rules: [do: [send: {answer}, close]]}}"
        for index, path in enumerate(paths)
    )
    return f"listeners:{listeners}"


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    try:
        client.connect(str(path))
    except OSError:
        client.close()
        raise
    return client


def ask(path: Path) -> bytes:
    with connect(path) as client:
        client.sendall(b"hi")
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.mark.parametrize("engine", ["CALLBACK", "COROUTINE"])
def test_unix_listener_answers_on_all_workers_and_leaves_no_file(
    start_server: Start, folder: Path, engine: str
) -> None:
    path = folder / "it.sock"
    running = start_server(config(path, engine=engine), "--workers", "2")
    assert [ask(path) for _ in range(100)] == [b"one"] * 100
    assert running.listeners == {"it0": f"unix:{path}"}
    assert running.status()["listeners"][0]["address"] == f"unix:{path}"
    metrics = Metrics.scrape(running.metrics)
    assert metrics.value("connections_accepted_total", listener="it0") == 100
    eventually(lambda: Metrics.scrape(running.metrics).balanced("it0"), what="balanced books")
    assert running.stop() == 0
    assert list(folder.iterdir()) == []


def test_change_of_unix_path_moves_the_socket_and_of_rules_keeps_it(start_server: Start, folder: Path) -> None:
    first, second = folder / "first", folder / "second"
    running = start_server(config(first))
    inode = first.stat().st_ino
    assert running.cli("apply", "-", stdin=config(first, answer="two")).returncode == 0
    assert (ask(first), first.stat().st_ino) == (b"two", inode)
    assert running.cli("apply", "-", stdin=config(second, answer="three")).returncode == 0
    assert (ask(second), list(folder.iterdir())) == (b"three", [second])
    assert running.cli("apply", "-", stdin=config(second, first, answer="four")).returncode == 0
    assert (ask(first), ask(second)) == (b"four", b"four")
    assert running.stop() == 0


def test_apply_with_unusable_unix_path_changes_nothing(start_server: Start, folder: Path) -> None:
    good, bad = folder / "good", folder / "bad"
    bad.write_text("precious")
    running = start_server(config(good))
    refused = running.cli("apply", "-", stdin=config(good, bad))
    assert refused.returncode == 1
    assert f"listeners[1].address: unix:{bad}: the file exists and is not a socket" in refused.stderr
    assert (ask(good), bad.read_text()) == (b"one", "precious")
    other = start_server(config(folder / "other"))
    taken = other.cli("apply", "-", stdin=config(good))
    assert "another process listens on it" in taken.stderr
    assert ask(good) == b"one"
    assert (running.stop(), other.stop()) == (0, 0)


def test_clients_queued_at_killed_workers_of_a_unix_listener_are_answered(start_server: Start, folder: Path) -> None:
    path = folder / "it.sock"
    running = start_server(config(path), "--workers", "2")
    for pid in worker_pids(running):
        os.kill(pid, signal.SIGSTOP)
    waiting = [connect(path) for _ in range(20)]
    for client in waiting:
        client.sendall(b"hi")
    before = worker_pids(running)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert [client.recv(100) for client in waiting] == [b"one"] * 20
    for client in waiting:
        client.close()
    eventually(lambda: 0 not in worker_pids(running) and not set(worker_pids(running)) & set(before), what="others")
    assert [ask(path) for _ in range(20)] == [b"one"] * 20
    assert running.stop() == 0


def test_unix_sockets_of_a_killed_server_are_taken_over(start_server: Start, folder: Path) -> None:
    path, admin = folder / "it.sock", folder / "admin.sock"
    running = start_server(config(path), "--admin", f"unix:{admin}")
    running.process.kill()
    running.process.wait()
    assert path.is_socket()
    assert admin.is_socket()
    next_one = start_server(config(path), "--admin", f"unix:{admin}")
    assert ask(path) == b"one"
    assert next_one.status()["revision"] == 1
    assert next_one.stop() == 0
    assert list(folder.iterdir()) == []


def test_unix_admin_socket_is_accessible_to_its_owner_only(start_server: Start, folder: Path) -> None:
    admin = folder / "admin.sock"
    running = start_server(config(folder / "it.sock"), "--admin", f"unix:{admin}")
    assert stat.S_IMODE(admin.stat().st_mode) == 0o600
    assert running.cli("status").returncode == 0
    refused = running.cli("apply", "-", stdin=config(admin))
    assert f"unix:{admin} overlaps the admin API (unix:{admin})" in refused.stderr
    assert running.stop() == 0


def test_changes_of_a_unix_listener_lose_no_connection(start_server: Start, folder: Path) -> None:
    path = folder / "it.sock"
    running = start_server(config(path), "--workers", "2")
    answers: list[bytes] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            answers.append(ask(path))

    thread = threading.Thread(target=keep_asking)
    thread.start()
    try:
        for number in range(10):
            assert running.cli("apply", "-", stdin=config(path, answer=f"answer{number}")).returncode == 0
    finally:
        stop.set()
        thread.join()
    assert set(answers) <= {b"one", *(f"answer{number}".encode() for number in range(10))}
    assert b"" not in answers
    assert running.stop() == 0


def test_restarted_workers_serve_the_same_unix_socket(start_server: Start, folder: Path) -> None:
    path = folder / "it.sock"
    running = start_server(config(path), "--workers", "2")
    assert running.cli("restart").returncode == 0
    assert [ask(path) for _ in range(20)] == [b"one"] * 20
    assert running.stop() == 0
