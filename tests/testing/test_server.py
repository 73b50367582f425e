"""The process of a test server: how it starts, and how it ends, whatever ends it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from answerback.testing import Answerback, Server, ServerDied
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers keep their files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def descriptors(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/fd").iterdir())


def worker_of(server: Server) -> int:
    (worker,) = server.client.get_status().workers
    return worker.pid


def test_server_is_alone_with_a_unix_socket_and_leaves_nothing(folder: Path) -> None:
    with Server() as server:
        worker = worker_of(server)
        assert server.client.get_status().state == "SERVING"
        sockets = {link.readlink().name for pid in (server.pid, worker) for link in descriptors(pid)}
        listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        assert [line for line in listening.splitlines() if f"socket:[{(line.split() * 10)[9]}]" in sockets] == []
        loaded = Path(f"/proc/{server.pid}/maps").read_text()
        assert "aiohttp" not in loaded
        assert os.getsid(server.pid) == server.pid, "Ctrl-C is for pytest"
    assert gone(server.pid)
    assert gone(worker)
    assert list(folder.iterdir()) == []
    with pytest.raises(ServerDied, match=r"has ended \(exit code 0\)"):
        server.check()
    server.stop()


def test_options_in_the_environment_do_not_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORKERS", "3"), ("LOG_LEVEL", "nonsense"), ("TOKEN_FILE", "/nowhere")):
        monkeypatch.setenv(f"ANSWERBACK_{name}", value)
    with Server() as server:
        assert len(server.client.get_status().workers) == 1


def test_server_that_was_killed_has_its_last_words_in_the_error(folder: Path) -> None:
    with Server() as server:
        answerback = Answerback(server)
        with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(Exception, match="in use"):
            answerback.listen(address=f"127.0.0.1:{busy.getsockname()[1]}")
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(
            ServerDied, match=r"^the Answerback server of the tests has ended \(SIGKILL\); its last words:\n"
        ):
            answerback.listen()
        answerback.close()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "command, words",
    [
        (["sh", "-c", "echo cannot; exit 3"], "did not start (exit code 3); its last words:\ncannot"),
        (["no-such-program"], "its last words:\nno-such-program: No such file or directory"),
        (["false"], "did not start (exit code 1); its last words:\n(nothing)"),
    ],
)
def test_server_that_does_not_start_says_why(folder: Path, command: list[str], words: str) -> None:
    with pytest.raises(ServerDied) as died:
        Server(command)
    assert words in str(died.value)
    assert list(folder.iterdir()) == []


def test_another_installation_is_started_by_command_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server([sys.executable, "-m", "answerback.cli"]) as server:
        assert server.client.health() is True
    monkeypatch.setenv("ANSWERBACK_COMMAND", "sh -c 'exit 7'")
    with pytest.raises(ServerDied, match="exit code 7"):
        Server()


def test_temporary_folder_with_a_long_name_is_no_obstacle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = folder / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with Server() as server:
        assert server.client.health() is True
    assert list(long.iterdir()) == []


def test_server_ends_with_the_process_that_started_it(folder: Path) -> None:
    code = """if True:
        import sys, answerback.testing as t
        server = t.Server()
        print(server.pid, server.client.get_status().workers[0].pid, flush=True)
        sys.stdin.read()"""
    environment = {**os.environ, "TMPDIR": str(folder)}
    starter = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    assert starter.stdout is not None
    pid, worker = map(int, starter.stdout.readline().split())
    assert len(list(folder.iterdir())) == 1
    starter.kill()
    starter.communicate()
    eventually(lambda: gone(pid) and gone(worker))
    eventually(lambda: list(folder.iterdir()) == [])


def test_server_that_a_thread_started_outlives_the_thread() -> None:
    made: list[Server] = []
    thread = threading.Thread(target=lambda: made.append(Server()))
    thread.start()
    thread.join()
    with made[0] as server:
        assert server.client.health() is True
