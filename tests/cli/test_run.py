"""`answerback run`, with real servers and real commands."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from answerback.cli.run import environment
from tests.waiting import eventually

RUN = (sys.executable, "-m", "answerback.cli", "run")
HELLO = """
listeners:
  - {name: hello, address: "127.0.0.1:0", rules: [{do: [send: hey, close]}]}
  - {name: my-echo, address: "127.0.0.1:0", framing: line, rules: [{do: [echo]}]}
"""
ASK = """
import os, socket, sys
for key in ("ANSWERBACK_ADDRESS", "ANSWERBACK_ADDRESS_MY_ECHO"):
    host, _, port = os.environ[key].rpartition(":")
    assert os.environ[key.replace("ADDRESS", "PORT")] == port
    with socket.create_connection((host, int(port))) as peer:
        peer.sendall(b"hi\\n")
        print(peer.recv(100))
print(os.environ["ANSWERBACK_SERVER"], os.getppid())
sys.exit(int(sys.argv[1]))
"""


def run(*words: str, stdin: str = HELLO, temporary: Path | None = None) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **({"TMPDIR": str(temporary)} if temporary else {})}
    return subprocess.run([*RUN, *words], input=stdin, env=env, capture_output=True, text=True, check=False)


def test_run_serves_while_the_command_runs_and_exits_with_its_code(tmp_path: Path) -> None:
    result = run("--config", "-", "--", sys.executable, "-c", ASK, "7", temporary=tmp_path)
    assert (result.returncode, result.stderr) == (7, "")
    hey, hi, rest = result.stdout.splitlines()
    assert (hey, hi) == (repr(b"hey"), repr(b"hi"))
    admin = rest.split()[0]
    assert re.fullmatch(r"127\.0\.0\.1:[0-9]+", admin)
    gone = subprocess.run([*RUN[:3], "status", "--server", admin], capture_output=True, text=True, check=False)
    assert "no Answerback server" in gone.stderr
    assert list(tmp_path.iterdir()) == []


def test_run_passes_options_of_the_command_on() -> None:
    result = run("--config", "-", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--config", "-h")
    assert (result.returncode, result.stdout) == (0, "['--config', '-h']\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_run_passes_signals_to_the_command_and_stops_the_server(tmp_path: Path, signum: signal.Signals) -> None:
    config = tmp_path / "hello.yaml"
    config.write_text(HELLO)
    ready, admin = tmp_path / "ready", tmp_path / "admin"
    script = (  # not a shell: it cannot trap a signal that is ignored where the tests run, as nohup does with SIGHUP
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "signal.signal(signal.SIGHUP, lambda *_: sys.exit(5))\n"
        f"Path({str(admin)!r}).write_text(os.environ['ANSWERBACK_SERVER'])\n"
        f"Path({str(ready)!r}).touch()\n"
        "while True: signal.pause()\n"
    )
    with subprocess.Popen([*RUN, "--config", str(config), "--", sys.executable, "-c", script]) as running:
        try:
            eventually(ready.exists, what="the command")
            running.send_signal(signum)
            assert running.wait(20) == 5
        finally:
            running.kill()
    asked = [*RUN[:3], "status", "--server", admin.read_text().strip()]
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 1


def test_run_of_command_ended_by_a_signal_exits_as_a_shell_does() -> None:
    assert run("--config", "-", "--", "sh", "-c", "kill -9 $$").returncode == 128 + 9


def test_run_of_missing_command_exits_with_127(tmp_path: Path) -> None:
    result = run("--config", "-", "--", str(tmp_path / "missing"))
    assert (result.returncode, result.stderr) == (127, f"Error: {tmp_path}/missing: No such file or directory\n")


def test_run_of_file_that_is_no_program_exits_with_126(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    result = run("--config", "-", "--", str(tmp_path / "text"))
    assert (result.returncode, result.stderr) == (126, f"Error: {tmp_path}/text: Permission denied\n")


def test_run_of_invalid_configuration_does_not_run_the_command(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    result = run("--config", "-", "--", "touch", str(ran), stdin="listeners: 1")
    assert result.returncode == 1
    assert "<stdin>:1:12: listeners: " in result.stderr
    assert not ran.exists()


def test_run_whose_server_dies_fails_whatever_the_command_says(tmp_path: Path) -> None:
    config = tmp_path / "hello.yaml"
    config.write_text(HELLO)
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "children = Path(f'/proc/{os.getppid()}/task/{os.getppid()}/children').read_text().split()\n"
        "server = next(int(pid) for pid in children if int(pid) != os.getpid())\n"
        "os.kill(server, signal.SIGKILL)\n"
        "while len(os.listdir(f'/proc/{server}/task')) > 1: pass\n"  # its first thread is dead before the others
        "while ') Z ' not in Path(f'/proc/{server}/stat').read_text(): pass\n"
    )
    result = run("--config", str(config), "--", sys.executable, "-c", script)
    assert result.returncode == 1
    assert "Error: the server ended while " in result.stderr


def test_environment_names_each_listener_and_the_first_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"PATH": "/bin"})
    addresses = json.loads(
        '{"listeners": {"a": "127.0.0.1:1", "B-2": "unix:/s", "c": "[::1]:3"}, "admin": "x:4", "metrics": "y:5"}'
    )
    assert environment(addresses) == {
        "PATH": "/bin",
        "ANSWERBACK_SERVER": "x:4",
        "ANSWERBACK_METRICS": "y:5",
        "ANSWERBACK_ADDRESS": "127.0.0.1:1",
        "ANSWERBACK_PORT": "1",
        "ANSWERBACK_ADDRESS_A": "127.0.0.1:1",
        "ANSWERBACK_PORT_A": "1",
        "ANSWERBACK_ADDRESS_B_2": "unix:/s",
        "ANSWERBACK_PORT_B_2": "",
        "ANSWERBACK_ADDRESS_C": "[::1]:3",
        "ANSWERBACK_PORT_C": "3",
    }
