"""`answerback serve`, as a whole: what it says, and that the commands reach it."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from answerback.document.document import load
from tests.ports import free_port
from tests.system.conftest import ANSWERBACK, STOP_SECONDS, Responder, Start
from tests.waiting import eventually

HELLO = """
listeners:
  - name: hello
    address: 127.0.0.1:0
    rules:
      - do: [send: "Hello, World!", close]
"""


def test_serve_answers_on_its_reported_address(responder: Start) -> None:
    running = responder(HELLO)
    assert running.ask(b"hi") == b"Hello, World!"
    assert running.stop() == 0


def test_commands_reach_a_running_server(responder: Start, tmp_path: Path) -> None:
    running = responder(HELLO, "--workers", "2")
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

    row = f"hello     {running.listeners['hello']}  CALLBACK  NORMAL         2     0         2\n"
    eventually(lambda: row in running.cli("status").stdout)  # once the last connection is closed here too
    assert "from api: why\n" in running.cli("status").stdout


def test_apply_rejected_by_a_running_server_prints_lines_of_the_file(responder: Start, tmp_path: Path) -> None:
    running = responder(HELLO)
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


def test_serve_without_a_terminal_prints_only_log_lines(responder: Start) -> None:
    running = responder(HELLO)
    assert running.stop() == 0
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    assert [line["kind"] for line in lines if line["message"] == "listening"] == ["listener", "admin", "metrics"]
    (serving,) = running.logged("serving")
    assert (serving["revision"], serving["workers"]) == (1, 1)


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


def test_serve_with_admin_api_on_a_unix_socket_removes_it_at_the_end(responder: Start, tmp_path: Path) -> None:
    running = responder(HELLO, "--admin", f"unix:{tmp_path}/admin")
    assert running.admin == f"unix:{tmp_path}/admin"
    assert running.cli("status").returncode == 0
    assert running.stop() == 0
    assert not (tmp_path / "admin").exists()


def test_apply_on_a_terminal_shows_the_difference_and_asks(responder: Start, tmp_path: Path) -> None:
    running = responder()
    changed = tmp_path / "changed.yaml"
    changed.write_text(running.config.read_text().replace("[echo]", "[send: other, close]"))
    for said, revision in (("n\n", 1), ("y\n", 2)):
        screen = on_a_terminal(running, said, "apply", str(changed))
        assert "--- revision 1" in screen
        assert re.search("\x1b\\[32m\\+ +text: other\x1b\\[0m", screen)
        assert ("nothing was changed" in screen) == (revision == 1)
        assert running.status()["revision"] == revision
    assert running.ask(b"hi\n") == b"other"


def on_a_terminal(running: Responder, typed: str, *args: str) -> str:
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
