"""The tie of a worker to its supervisor."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from answerback.worker import parent
from tests.supervisor.supervising import alive
from tests.waiting import eventually

# A parent that starts a child tied to it, says its pid, and waits to be killed.
PARENT = """
import socket, subprocess, sys
ours, theirs = socket.socketpair()
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(theirs.fileno())], pass_fds=[theirs.fileno()])
child.wait()
"""
CHILD = """
import os, signal, socket, sys
from answerback.worker import parent
parent.ignore_signals()
parent.end_with_parent(socket.socket(fileno=int(sys.argv[1])))
print(os.getpid(), flush=True)
signal.pause()
"""


def test_worker_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        for number in parent.SUPERVISORS:
            os.kill(child, number)
        assert alive(child)
        process.send_signal(signal.SIGKILL)
        eventually(lambda: not alive(child), within=1)


def test_worker_orphaned_during_start_raises_orphaned() -> None:
    ours, theirs = socket.socketpair()  # made by this process, and so not by its parent
    program = """
import socket, sys
from answerback.worker import parent
try:
    parent.end_with_parent(socket.socket(fileno=int(sys.argv[1])))
except parent.Orphaned:
    print("orphaned")
"""
    shell = ["sh", "-c", '"$0" -c "$1" "$2"; true', sys.executable, program, str(theirs.fileno())]
    with ours, theirs:
        said = subprocess.run(shell, pass_fds=[theirs.fileno()], capture_output=True, text=True, check=True)
    assert said.stdout == "orphaned\n"


def test_ignored_signals_are_unblocked(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = {}
    monkeypatch.setattr(signal, "signal", lambda number, action: changed.update({number: action}))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        parent.ignore_signals()
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert changed == dict.fromkeys([signal.SIGINT, signal.SIGTERM, signal.SIGHUP], signal.SIG_IGN)
