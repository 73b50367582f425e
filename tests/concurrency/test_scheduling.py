"""The supervisor's time slices."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from answerback.concurrency import scheduling
from answerback.concurrency.scheduling import ATTRIBUTES, NUMBERS, SLICE_SECONDS
from tests.ports import free_port
from tests.system.conftest import ANSWERBACK
from tests.waiting import eventually

GETTING = {"x86_64": 315, "aarch64": 275}  # sched_getattr(2)
PROGRAM = """
import os, subprocess, sys
from answerback.concurrency.scheduling import let_workers_first

os.nice(int(sys.argv[1]))
done = let_workers_first()
with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
    print(int(done), child.pid, flush=True)
    input()
"""


def slice_of(pid: int) -> int:
    """The slice of a process in nanoseconds; 0 if the kernel does not tell."""
    attributes = ctypes.create_string_buffer(ATTRIBUTES.size)
    ctypes.CDLL(None).syscall(GETTING[platform.machine()], pid, attributes, len(attributes), 0)
    return int(ATTRIBUTES.unpack(attributes.raw)[5])


sliced = pytest.mark.skipif(
    platform.machine() not in GETTING or not slice_of(0), reason="the kernel has no slices of processes (Linux 6.12)"
)


@sliced
@pytest.mark.parametrize("nice", [0, 3])
def test_slice_is_longer_and_that_of_children_and_the_priority_are_not_changed(nice: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(nice)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        done, child = map(int, process.stdout.readline().split())
        assert done
        assert slice_of(process.pid) == SLICE_SECONDS * 1e9 > 2 * slice_of(0)
        assert slice_of(child) == slice_of(0)
        before = os.getpriority(os.PRIO_PROCESS, 0)
        assert [os.getpriority(os.PRIO_PROCESS, pid) - before for pid in (process.pid, child)] == [nice, nice]
        process.communicate("\n")


@pytest.mark.parametrize(
    "what, value",
    [("getpriority", lambda *_: -1), ("sched_getscheduler", lambda _: os.SCHED_BATCH), ("machine", lambda: "other")],
)
def test_nothing_is_asked_for_that_workers_would_lose_or_the_machine_does_not_know(
    what: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[object]()
    monkeypatch.setattr(ctypes, "CDLL", calls.append)
    monkeypatch.setattr(platform if what == "machine" else os, what, value)
    assert not scheduling.let_workers_first()
    assert not calls


def test_system_that_does_not_know_the_call_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NUMBERS, platform.machine(), 1 << 20)
    assert not scheduling.let_workers_first()


@sliced
def test_server_has_longer_slices_than_its_workers(tmp_path: Path) -> None:
    ports = tmp_path / "ports.json"
    config = tmp_path / "answerback.yaml"
    config.write_text("listeners: []\n")
    given = ["--config", str(config), "--port-file", str(ports), "--workers", "1"]
    given += ["--admin", f"127.0.0.1:{free_port()}", "--metrics", f"127.0.0.1:{free_port()}"]
    with subprocess.Popen([*ANSWERBACK, "serve", *given], stderr=subprocess.DEVNULL) as process:
        try:
            eventually(ports.exists, what="started")
            tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert slice_of(process.pid) == SLICE_SECONDS * 1e9
            assert tasks
            assert {slice_of(int(worker)) for worker in tasks} == {slice_of(0)}
        finally:
            process.terminate()
