"""What the supervisor does so that workers run before it."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from answerback.concurrency import scheduling
from answerback.concurrency.scheduling import ATTRIBUTES, BRIEF_SECONDS, GIVEN_FOR_WORK, NUMBERS, SLICE_SECONDS, Core
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


class Others:
    """The others on a core, who keep it for a time whenever it is offered; and the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.stays = 0.0, 0
        self.seconds = seconds
        monkeypatch.setattr(scheduling, "monotonic", lambda: self.now)
        monkeypatch.setattr(os, "sched_yield", self.stay)

    def stay(self) -> None:
        self.now += self.seconds
        self.stays += 1


def test_each_offer_is_made_while_others_stay_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    others, core = Others(monkeypatch, BRIEF_SECONDS / 2), Core()
    for _ in range(10):
        core.offer()
    assert others.stays == 10


def test_others_who_stay_for_long_get_no_more_than_their_part(monkeypatch: pytest.MonkeyPatch) -> None:
    others, core = Others(monkeypatch, 0.01), Core()
    working = 0.0
    while others.now < 10:
        core.offer()
        others.now += 50e-6
        working += 50e-6
    stayed = others.stays * others.seconds
    assert 0.9 * GIVEN_FOR_WORK < stayed / working <= 1.01 * GIVEN_FOR_WORK
    others.seconds = 0.0
    others.now += 1
    stays = others.stays
    core.offer()
    core.offer()
    assert others.stays == stays + 2
