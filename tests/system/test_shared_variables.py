"""Shared variables with real workers: over changes, resets and deaths."""

import json
import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from answerback.document.document import load
from answerback.document.encode import dump
from tests.system.conftest import ANSWERBACK, RunningServer, Start
from tests.waiting import eventually

STORE = """
listeners:
  - name: store
    address: 127.0.0.1:0
    framing: line
    rules:
      - when: COUNT
        do: [add: {shared: "'n'", into: n}, send: {template: "${vars.n}\\n"}]
      - when: {regex: "^SET (.*)$"}
        do: [set: {shared: "'kept'", value: {template: "${1}"}}, send: "OK\\n"]
      - when: GET
        do: [send: {template: "(${shared['kept']})\\n"}]
"""


def counted(running: RunningServer, times: int) -> list[int]:
    """The sums that a connection got."""
    with running.connect() as peer, peer.makefile("rwb") as file:
        sums = []
        for _ in range(times):
            file.write(b"COUNT\n")
            file.flush()
            sums.append(int(file.readline()))
        return sums


def folders(running: RunningServer) -> list[Path]:
    """The directories of shared variables that its workers were given."""
    children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text().split()
    words = [Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0") for pid in children]
    return [Path(each[each.index("--variables") + 1]) for each in words if "--variables" in each]


def test_sums_over_all_workers_are_each_given_once(start_server: Start) -> None:
    running = start_server(STORE, "--workers", "2")
    with ThreadPoolExecutor(8) as threads:
        sums = [each for found in threads.map(lambda _: counted(running, 50), range(16)) for each in found]
    assert sorted(sums) == list(range(1, 801))


def test_variables_survive_workers_and_changes_and_end_with_a_reset(start_server: Start, tmp_path: Path) -> None:
    running = start_server(STORE, "--workers", "2")
    assert running.ask(b"SET kept value\n") == b"OK\n"
    assert counted(running, 3) == [1, 2, 3]
    for worker in running.status()["workers"]:
        os.kill(worker["pid"], signal.SIGKILL)
    eventually(lambda: running.ask(b"GET\n") == b"(kept value)\n", what="a new worker")
    changed = load(STORE).config
    changed.listeners[0].rules.add().do.add().echo.SetInParent()
    file = tmp_path / "changed.yaml"
    file.write_text(dump(changed))
    assert running.cli("apply", str(file)).returncode == 0
    assert running.ask(b"GET\n") == b"(kept value)\n"
    assert counted(running, 1) == [4]
    assert running.cli("reset-counters", "--listener", "store").returncode == 0
    assert counted(running, 1) == [5], "the variables belong to no listener"
    assert running.cli("reset-counters").returncode == 0
    assert running.ask(b"GET\n") == b"()\n"
    assert counted(running, 1) == [1]


def test_directory_of_the_variables_ends_with_the_server(start_server: Start) -> None:
    running = start_server(STORE, "--workers", "2")
    (folder,) = {*folders(running)}
    assert list(folder.iterdir()) == [], "most configurations use none"
    assert running.ask(b"SET a\n") == b"OK\n"
    assert list(folder.iterdir()) != []
    assert running.stop() == 0
    assert not folder.exists()


def test_server_without_room_for_variables_says_so_and_fails_writes(tmp_path: Path) -> None:
    config = tmp_path / "store.yaml"
    config.write_text(STORE)
    script = (
        "import sys\n"
        "from answerback.shared import variables_folder\n"
        "variables_folder.PARENTS = ('/proc/missing',)\n"
        "from answerback.cli import main\n"
        "main(sys.argv[1:], prog_name='answerback')\n"
    )
    ports = tmp_path / "ports.json"
    given = ("--admin", "127.0.0.1:0", "--metrics", "off", "--workers", "1", "--port-file", str(ports))
    command = [ANSWERBACK[0], "-c", script, "serve", "--config", str(config), *given]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            eventually(ports.exists, what="the server")
            running = RunningServer(process, tmp_path / "log", config)  # type: ignore[arg-type]
            running.listeners = json.loads(ports.read_text())["listeners"]
            assert running.ask(b"GET\n") == b""
            assert running.ask(b"SET a\n") == b""
        finally:
            process.terminate()
        assert process.stderr is not None
        assert "no shared variables: no directory can be made" in process.stderr.read()
