"""`make run`, as a new user runs it: in the foreground, ended by Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.waiting import eventually

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = "listeners: [{name: hello, address: '127.0.0.1:PORT', rules: [{do: [send: 'Hello, World!', close]}]}]\n"


def ask(port: int) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
        connection.sendall(b"hi")
        return connection.recv(100)


def test_make_run_serves_in_the_foreground_until_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    config, log = tmp_path / "hello.yaml", tmp_path / "log"
    config.write_text(CONFIG.replace("PORT", str(port)))
    venv = Path(sys.executable).parent.parent
    variables = [f"VENV={venv}", f"ARGS=--config {config} --admin 127.0.0.1:0 --metrics 127.0.0.1:0"]
    subprocess.run(["make", "--silent", variables[0], f"{venv}/.run"], cwd=ROOT, check=True)
    with log.open("wb") as out:
        # A group of its own, so that the signal goes where a terminal sends it: to make and to what make started.
        command = ["make", "--no-print-directory", "run", *variables]
        make = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, process_group=0)
    try:
        assert eventually(lambda: ask(port), what="an answer") == b"Hello, World!"
        hint = f"printf hi | nc 127.0.0.1 {port}"  # which stands in the log once all workers are ready
        eventually(lambda: hint in log.read_text(), what="the hint")
        assert "Installing" not in log.read_text()  # nothing is installed twice
        os.killpg(make.pid, signal.SIGINT)
        make.wait(20)
        with pytest.raises(ConnectionRefusedError):
            ask(port)
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGKILL)
            make.wait()
