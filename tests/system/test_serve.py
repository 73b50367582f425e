"""`answerback serve` as a whole: its output, and that commands reach it."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from answerback.document.document import load
from tests.ports import free_port
from tests.system.conftest import ANSWERBACK, STOP_SECONDS, RunningServer, Start
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

HELLO = """
listeners:
  - name: hello
    address: 127.0.0.1:0
    rules:
      - do: [send: "Hello, World!", close]
"""


def test_serve_answers_on_its_reported_address(start_server: Start) -> None:
    running = start_server(HELLO)
    assert running.ask(b"hi") == b"Hello, World!"
    assert running.stop() == 0


def test_commands_reach_a_running_server(start_server: Start, tmp_path: Path) -> None:
    running = start_server(HELLO, "--workers", "2")
    assert running.cli("health").stdout == "ok\n"
    shown = running.cli("show").stdout
    assert load(shown).config == load(HELLO).config

    changed = tmp_path / "changed.yaml"
    changed.write_text(shown.replace("Hello, World!", "Changed."))
    dry = running.cli("apply", "--dry-run", str(changed))
    assert (dry.returncode, dry.stdout) == (0, "valid; revision 1 is still active (dry run)\n")
    assert running.ask(b"hi") == b"Hello, World!"
    applied = running.cli("apply", "--comment", "why", str(changed))
    assert (applied.returncode, applied.stdout) == (0, "revision 2 is active on 2 workers\n")
    assert running.ask(b"hi") == b"Changed."

    row = f"hello     {running.listeners['hello']}  CALLBACK  NORMAL         2     0         2          0\n"
    eventually(lambda: row in running.cli("status").stdout)  # once the last connection is closed here too
    assert "from api: why\n" in running.cli("status").stdout


def test_apply_rejected_by_a_running_server_prints_lines_of_the_file(start_server: Start, tmp_path: Path) -> None:
    running = start_server(HELLO)
    bad = tmp_path / "bad.yaml"
    for text, place in (
        (f"listeners:\n  - name: a\n    address: {running.metrics}\n", "3:14: listeners[0].address: "),
        ("listeners:\n  - {name: a, address: '127.0.0.1:0', rules: [{do: [send: {file: a}]}]}\n",
         "2:66: listeners[0].rules[0].do[0].send.file: "),
    ):  # fmt: skip
        bad.write_text(text)
        result = running.cli("apply", str(bad))
        assert (result.returncode, result.stdout) == (1, "")
        problem, error = result.stderr.splitlines()
        assert problem.startswith(f"{bad}:{place}")
        assert error == f"Error: {bad}: 1 problem; nothing was changed"
    assert running.ask(b"hi") == b"Hello, World!"


def test_serve_without_a_terminal_prints_only_log_lines(start_server: Start) -> None:
    running = start_server(HELLO)
    assert running.stop() == 0
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    assert [line["kind"] for line in lines if line["message"] == "listening"] == ["listener", "admin", "metrics"]
    (serving,) = running.logged("serving")
    assert (serving["revision"], serving["workers"]) == (1, 1)


def test_serve_reads_its_configuration_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "reply.txt").write_text("from a file")
    text = HELLO.replace('"Hello, World!"', "{file: reply.txt}")
    with piped("--config", "-", "--log-format", "json", stdin=text, cwd=tmp_path) as (process, addresses):
        with socket.create_connection(where(addresses["listeners"]["hello"])) as peer:
            peer.sendall(b"hi")
            assert peer.recv(100) == b"from a file"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
        assert process.stderr is not None
        assert "SIGHUP: no --config file to reload" in process.stderr.read()


def test_invalid_configuration_on_standard_input_is_reported_with_its_place() -> None:
    command = [*ANSWERBACK, "serve", "--config", "-", "--admin", "127.0.0.1:0", "--metrics", "off"]
    result = subprocess.run(command, input="listeners: 1", capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("<stdin>:1:12: listeners: ")


def test_standard_input_cannot_be_watched() -> None:
    command = [*ANSWERBACK, "serve", "--config", "-", "--watch-config"]
    result = subprocess.run(command, input=HELLO, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "--watch-config needs a file: standard input is read once" in result.stderr


def test_port_file_has_the_bound_addresses_while_the_server_runs(start_server: Start, tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    running = start_server(HELLO, "--port-file", str(file))
    eventually(file.exists, what="the port file")
    assert json.loads(file.read_text()) == {
        "listeners": running.listeners,
        "admin": running.admin,
        "metrics": running.metrics,
        "pid": running.process.pid,
    }
    assert running.stop() == 0
    assert not file.exists()
    assert not list(tmp_path.glob(".ports*"))


def test_port_file_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "ports.json"
    given = ("--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--config", "-", "--port-file", str(file))
    result = subprocess.run([*ANSWERBACK, "serve", *given], input=HELLO, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith(f"Error: --port-file {file}: No such file or directory\n")


def test_serve_at_level_warning_prints_no_banner(tmp_path: Path) -> None:
    with piped("--config", "-", "--log-level", "warning", stdin=HELLO, cwd=tmp_path) as (process, _):
        process.terminate()
        assert process.wait(STOP_SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@contextmanager
def piped(*words: str, stdin: str, cwd: Path) -> "Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]":
    """A server whose configuration comes on standard input, and its addresses."""
    file = cwd / "ports.json"
    given = ("--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1", "--port-file", str(file))
    command = [*ANSWERBACK, "serve", *given, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=cwd) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(stdin)
            process.stdin.close()
            eventually(file.exists, what="the port file")
            yield process, json.loads(file.read_text())
        finally:
            process.kill()


def where(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def test_serve_prints_a_banner(tmp_path: Path) -> None:
    port = free_port()
    config, out, err = (tmp_path / name for name in ("hello.yaml", "out", "err"))
    config.write_text(HELLO.replace("127.0.0.1:0", f"0.0.0.0:{port}"))
    command = [*ANSWERBACK, "serve", "--config", str(config), "--admin", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen([*command, "--workers", "1"], stdout=stdout, stderr=stderr)
    try:
        eventually(lambda: "Try: " in err.read_text() or process.poll() is not None, what="the banner")
        assert f"Try: printf hi | nc 127.0.0.1 {port}\n" in err.read_text()
        with socket.create_connection(("127.0.0.1", port), 10) as peer:
            peer.sendall(b"hi")
            assert peer.recv(100) == b"Hello, World!"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert out.read_text() == ""
    assert "Traceback" not in err.read_text()


def test_serve_with_admin_api_on_a_unix_socket_removes_it_at_the_end(start_server: Start, tmp_path: Path) -> None:
    running = start_server(HELLO, "--admin", f"unix:{tmp_path}/admin")
    assert running.admin == f"unix:{tmp_path}/admin"
    assert running.cli("status").returncode == 0
    assert running.stop() == 0
    assert not (tmp_path / "admin").exists()


def test_apply_on_a_terminal_shows_the_difference_and_asks(start_server: Start, tmp_path: Path) -> None:
    running = start_server()
    changed = tmp_path / "changed.yaml"
    changed.write_text(running.config.read_text().replace("[echo]", "[send: other, close]"))
    for said, revision in (("n\n", 1), ("y\n", 2)):
        screen = on_a_terminal(running, said, "apply", str(changed))
        assert "--- revision 1" in screen
        assert re.search("\x1b\\[32m\\+ +text: other\x1b\\[0m", screen)
        assert ("nothing was changed" in screen) == (revision == 1)
        assert running.status()["revision"] == revision
    assert running.ask(b"hi\n") == b"other"


def on_a_terminal(running: RunningServer, typed: str, *args: str) -> str:
    """What a person sees who runs a command and types something."""
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    env["ANSWERBACK_SERVER"] = running.admin
    with os.fdopen(ours, "r+b", buffering=0) as keyboard:
        process = subprocess.Popen([*ANSWERBACK, *args], env=env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        keyboard.write(typed.encode())
        screen = b""
        with suppress(OSError):  # EIO: the other end is closed
            while data := keyboard.read(4096):
                screen += data
        process.wait(STOP_SECONDS)
    return screen.decode()
