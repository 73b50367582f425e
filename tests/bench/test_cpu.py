"""bench.cpu: CPU time of processes, and the choice of cores."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import cpu
from bench.cpu import Cores, CpuReading, ProcessesChanged


@pytest.mark.parametrize(
    "stat",
    [
        "12 (python) S 7 12 12 0 -1",
        "12 (a) b) R 99 (x) S 7 12 12 0 -1",  # a process may call itself anything
    ],
)
def test_parent_is_parsed_from_stat_with_parentheses_in_the_name(stat: str) -> None:
    assert cpu.parent_of(stat) == 7


def test_descendants_of_all_generations_are_found(tmp_path: Path) -> None:
    for pid, parent in {10: 1, 11: 10, 12: 11, 13: 10, 20: 1}.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (x) S {parent} 0 0")
    (tmp_path / "meminfo").touch()
    (tmp_path / "99").mkdir()  # ended while we looked: no stat
    assert sorted(cpu.descendants(10, tmp_path)) == [11, 12, 13]


def test_cpu_clock_of_another_process_counts_its_work() -> None:
    program = (
        "import time; t = time.process_time()\nwhile time.process_time() < t + 0.05: pass\nprint(flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as busy:
        assert busy.stdin is not None
        assert busy.stdout is not None
        busy.stdout.readline()
        reading = cpu.read_cpu(busy.pid)
        busy.stdin.close()
    assert reading.pids == {busy.pid}
    assert reading.seconds >= 0.05


def test_cpu_time_over_changed_processes_is_an_error() -> None:
    before = CpuReading(frozenset({1, 2}), 1.0)
    assert CpuReading(frozenset({1, 2}), 1.5).since(before) == 0.5
    with pytest.raises(ProcessesChanged, match="came or went during the run: 2, 3"):
        CpuReading(frozenset({1, 3}), 1.5).since(before)


@pytest.mark.parametrize(
    "text, cores",
    [("0\n", {0}), ("0-2,5", {0, 1, 2, 5}), ("0,4", {0, 4}), ("0-1,8-9", {0, 1, 8, 9})],
)
def test_cpu_list_of_the_kernel_is_parsed(text: str, cores: set[int]) -> None:
    assert cpu.parse_cpu_list(text) == cores


@pytest.mark.parametrize(
    "usable, siblings, cores",
    [
        ({0, 1}, {}, Cores(server=1, client=0)),
        ({0, 1, 2, 3}, {3: {1, 3}}, Cores(server=3, client=0)),
        ({0, 1, 2, 3}, {3: {0, 3}}, Cores(server=3, client=1)),  # not on the same physical core
        ({0, 1}, {1: {0, 1}}, Cores(server=1, client=0)),  # unless there is no other
        ({5}, {}, Cores(server=5, client=5)),
    ],
)
def test_server_and_client_run_on_different_cores_if_possible(
    usable: set[int], siblings: dict[int, set[int]], cores: Cores
) -> None:
    assert cpu.choose_cores(usable, siblings) == cores
    assert cores.shared == (len(usable) == 1)


def test_process_started_while_pinned_stays_on_the_core() -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    with cpu.pinned(core):
        shown = subprocess.check_output([sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"], text=True)
    assert shown.strip() == f"{{{core}}}"
    assert os.sched_getaffinity(0) == before
