"""The plugin in runs of pytest of its own: what fails how, and what is left."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MANY = '''
import json, os, socket
from pathlib import Path

import pytest

SEEN = Path(os.environ["SEEN"])

LISTENING

def note(answerback, listener):
    """What must be gone afterwards."""
    fds = len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{answerback.server.pid}/fd"))
    worker = answerback.server.client.get_status().workers[0].pid
    sockets = [inode for port, inode in listening() if port == listener.port]
    assert sockets
    line = {"pid": answerback.server.pid, "worker": worker, "sockets": sockets, "fds": fds}
    with (SEEN / os.environ.get("PYTEST_XDIST_WORKER", "only")).open("a") as file:
        file.write(json.dumps(line) + "\\n")

@pytest.mark.parametrize("number", range(COUNT // 2))
def test_blocking(answerback, number):
    listener = answerback.listen(framing="line", rules=[{"do": ["echo", {"send": f" {number}\\n"}]}])
    with socket.create_connection(listener.address) as peer:
        peer.sendall(b"hi\\n")
        assert peer.makefile().readline() == f"hi {number}\\n"
    note(answerback, listener)

@pytest.mark.parametrize("number", range(COUNT // 2))
async def test_asyncio(answerback_async, number):
    import asyncio
    listener = await answerback_async.listen(framing="line", rules=[{"do": ["echo", {"send": f" {number}\\n"}]}])
    reader, writer = await asyncio.open_connection(*listener.address)
    writer.write(b"hi\\n")
    assert await reader.readline() == f"hi {number}\\n".encode()
    writer.close()
    note(answerback_async, listener)
'''

DYING = """
import os, signal, socket
import pytest

def test_one(answerback):
    print("first pid", answerback.server.pid)
    listener = answerback.listen(framing="line", rules=[{"do": ["echo"]}])
    os.kill(answerback.server.pid, signal.SIGKILL)
    with socket.create_connection(listener.address, 10) as peer:
        while peer.recv(9): pass
    raise KeyError("what the test itself says")

def test_two(answerback):
    print("second pid", answerback.server.pid)
    assert answerback.listen(framing="line", rules=[{"do": ["echo"]}]).port
    os.kill(answerback.server.pid, signal.SIGTERM)
    answerback.server._process.wait()

def test_three(answerback):
    listener = answerback.listen(framing="line", rules=[{"do": ["echo"]}])
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(b"hi\\n")
        assert peer.recv(9) == b"hi"

def test_skipped(answerback):
    pytest.skip("for a reason")
"""

LOGGED = """
import os, signal, time

def test_logs(answerback):
    (worker,) = answerback.client.get_status().workers
    os.kill(worker.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while answerback.client.get_status().workers[0].pid in {0, worker.pid}:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert False

def test_silent(answerback):
    assert False

def test_talks(answerback):
    import socket
    listener = answerback.listen(framing="line", rules=[{"name": "hello", "do": [{"send": "world"}]}])
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(b"hi\\xff\\n")
        peer.recv(9)
    listener.close()
    listener.verify("bye")
"""

LEAVING = """
import asyncio, socket

import pytest

GIVEN = [{"signal": "go"}, {"signal": "kept"}, {"wait": "go"}]
RULES = [
    {"when": "wait", "do": [{"send": "waiting\\n"}, {"wait": {"signal": "go", "timeout": "60s"}}, {"send": "gone\\n"}]},
    {"when": "set", "do": [{"set": {"shared": "'key'", "value": "left"}}, *GIVEN]},
    {"when": "get", "do": [{"send": {"template": "<${shared['key']}>\\n"}}]},
    {"when": "once", "times": 1, "do": [{"send": "once\\n"}]},
]
LISTENERS = dict(framing="line", rules=RULES)
OPEN = []

def check_all_is_gone(answerback):
    client = answerback.server.client
    assert client.get_status().signals == ()
    assert client.list_exchanges() == []
    assert client.list_connections() == []

@pytest.mark.parametrize("number", range(5))
def test_blocking(answerback, number):
    check_all_is_gone(answerback)
    listener = answerback.listen(name="it", **LISTENERS)
    OPEN.append(socket.create_connection(listener.address, 10))
    OPEN[-1].sendall(b"get\\nonce\\nwait\\n")
    with OPEN[-1].makefile() as heard:
        assert [heard.readline() for _ in range(3)] == ["<>\\n", "once\\n", "waiting\\n"]
    assert answerback.signal("kept").kept == 1
    OPEN.append(socket.create_connection(listener.address, 10))
    OPEN[-1].sendall(b"set\\nset\\nset\\nset\\n")  # it gives signals while the test ends

@pytest.mark.parametrize("number", range(5))
async def test_asyncio(answerback_async, number):
    check_all_is_gone(answerback_async)
    listener = await answerback_async.listen(name="it", **LISTENERS)
    reader, writer = await asyncio.open_connection(*listener.address)
    writer.write(b"get\\nset\\n")
    assert await reader.readline() == b"<>\\n"
    await listener.wait_for("set")
    OPEN.append(writer)

def test_report_is_taken_before(answerback):
    listener = answerback.listen(name="it", **LISTENERS)
    with socket.create_connection(listener.address, 10) as peer:
        peer.sendall(b"set\\nget\\n")
        peer.recv(9)
        assert False

def test_last(answerback):
    check_all_is_gone(answerback)
"""

UNUSED = """
import sys

def test_nothing_is_loaded():
    assert "answerback.testing.plugin" in sys.modules
    ours = {name for name in sys.modules if name.partition(".")[0] in {"grpc", "google", "yaml", "uvloop", "click"}}
    assert ours == set()
    assert {name for name in sys.modules if name.startswith("answerback")} == {
        "answerback", "answerback.testing", "answerback.testing.plugin", "answerback.testing.listeners",
        "answerback.testing.server", "answerback.testing.conversation",
    }
"""


def run(folder: Path, text: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a file, with the plugins that come by entry points, away from this project's configuration."""
    (folder / "test_file.py").write_text(text)
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    servers = folder / "servers"
    servers.mkdir()
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *arguments)
    environment = {**os.environ, "TMPDIR": str(servers), **environment}
    environment.pop("PYTEST_XDIST_WORKER", None)
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert list(servers.glob("answerback-*")) == []
    return found


def listening() -> list[tuple[int, str]]:
    """The port and the inode of each TCP socket that listens: another process may listen at a port that is left."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return [(int(row[1].partition(":")[2], 16), row[9]) for row in rows if row[3] == "0A"]


def many(folder: Path, count: int, *arguments: str) -> None:
    """Run tests that all use a fixture, and look for what they have left."""
    import json

    seen = folder / "seen"
    seen.mkdir()
    tests = MANY.replace("COUNT", str(count)).replace("LISTENING", inspect.getsource(listening))
    found = run(folder, tests, *arguments, SEEN=str(seen))
    assert f"{count} passed" in found.stdout, found.stdout + found.stderr
    assert found.stderr == ""
    lines = [[json.loads(line) for line in file.read_text().splitlines()] for file in seen.iterdir()]
    assert sum(map(len, lines)) == count
    for of_one_process in lines:
        assert len({line["pid"] for line in of_one_process}) == 1, "one server for each process of pytest"
        # Connections of the last test may be closing; what is left of each test would add up to far more.
        for side in (0, 1):
            first, *others = (line["fds"][side] for line in of_one_process)
            assert max(others, default=first) <= first + 6
        for line in of_one_process:
            assert not Path(f"/proc/{line['pid']}").exists()
            assert not Path(f"/proc/{line['worker']}").exists()
    sockets = {each for of_one_process in lines for line in of_one_process for each in line["sockets"]}
    assert not sockets & {inode for _, inode in listening()}


def test_nothing_is_left_of_tests_in_parallel(tmp_path: Path) -> None:
    many(tmp_path, 20, "-n", "2")


@pytest.mark.long
def test_nothing_is_left_of_200_tests_in_four_processes(tmp_path: Path) -> None:
    many(tmp_path, 200, "-n", "4")


def test_test_whose_server_dies_fails_with_its_last_words_and_the_next_has_another(tmp_path: Path) -> None:
    found = run(tmp_path, DYING, "-s", "-n", "0")
    one, two = re.findall(r"pid (\d+)", found.stdout)[:2]
    assert one != two
    assert "2 failed, 1 passed, 1 skipped" in found.stdout
    assert "ServerDied: the Answerback server of the tests has ended (SIGKILL); its last words:" in found.stdout
    assert "ServerDied: the Answerback server of the tests has ended (exit code 0); its last words:" in found.stdout
    assert "FAILED test_file.py::test_two" in found.stdout


def test_report_of_a_failed_test_shows_what_the_server_logged_during_it(tmp_path: Path) -> None:
    found = run(tmp_path, LOGGED)
    assert found.stdout.count("Answerback server log") == 1
    log = found.stdout.partition("Answerback server log")[2].partition("test_silent")[0]
    assert "SIGKILL" in log
    assert found.stdout.count("Answerback conversation") == 1
    said = re.sub(r"connection \S+", "connection C", found.stdout.partition("Answerback conversation")[2]).splitlines()
    assert re.sub(r"test-\d+", "test-N", said[1]) == "test-N connection C request 1"
    assert said[2:4] == [r"  > 'hi\xff'", "  < 'world'  (rule hello)"]
    assert "3 failed" in found.stdout


def test_nothing_that_a_test_leaves_is_seen_by_the_next(tmp_path: Path) -> None:
    found = run(
        tmp_path, LEAVING, "-W", "ignore::ResourceWarning", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"
    )
    assert "1 failed, 11 passed" in found.stdout, found.stdout
    assert "  < '<left>" in found.stdout.partition("Answerback conversation")[2]


def test_plugin_loads_nothing_until_a_fixture_is_used(tmp_path: Path) -> None:
    found = run(tmp_path, UNUSED)
    assert "1 passed" in found.stdout, found.stdout


def test_server_that_does_not_start_is_an_error_of_the_test(tmp_path: Path) -> None:
    found = run(tmp_path, "def test_it(answerback): pass", ANSWERBACK_COMMAND="sh -c 'echo no room; exit 1'")
    assert "1 error" in found.stdout
    assert "did not start (exit code 1); its last words:" in found.stdout
    assert "no room" in found.stdout
