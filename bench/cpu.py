"""The CPU time of a process and of all its descendants, and which core runs what."""

# Rule: nanoseconds from the scheduler, not ticks: a tick (10 ms) is 1 % of a run.

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CPUCLOCK_SCHED = 2  # linux/posix-timers.h: the clock of a whole process, its ended threads included
SETTLED_S = 50e-6  # less CPU than this in SETTLE_WAIT_S is only the beat of an idle server
SETTLE_WAIT_S = 0.01
SETTLE_TRIES = 100


class ProcessesChanged(RuntimeError):
    """A process of the server ended or began during a measurement, so its time is not all known."""


@dataclass(frozen=True, slots=True)
class CpuReading:
    """User and system time of some processes at one moment, in seconds since each began."""

    pids: frozenset[int]
    seconds: float

    def since(self, before: "CpuReading") -> float:
        """Seconds of CPU used since ``before``; raises ProcessesChanged if the processes are not the same."""
        if self.pids != before.pids:
            changed = ", ".join(str(pid) for pid in sorted(self.pids ^ before.pids))
            raise ProcessesChanged(f"processes came or went during the run: {changed}")
        return self.seconds - before.seconds


def parent_of(stat: str) -> int:
    """Read the parent's pid out of ``/proc/PID/stat``, whose second field may hold anything (proc(5))."""
    return int(stat.rpartition(")")[2].split()[1])


def descendants(pid: int, proc: Path = PROC) -> list[int]:
    """Return the living descendants of ``pid``, itself not among them, in no particular order."""
    children: dict[int, list[int]] = {}
    for entry in proc.iterdir():
        if entry.name.isdecimal():
            try:
                children.setdefault(parent_of((entry / "stat").read_text()), []).append(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    found: list[int] = []
    waiting = [pid]
    while waiting:
        born = children.get(waiting.pop(), [])
        found += born
        waiting += born
    return found


def process_clock(pid: int) -> int:
    """Return the id of the CPU clock of a process, as clock_getcpuclockid(3) makes it."""
    return (~pid << 3) | CPUCLOCK_SCHED


def read_cpu(pid: int) -> CpuReading:
    """Read the CPU time used so far by ``pid`` and its descendants, all threads, user and system."""
    pids = frozenset([pid, *descendants(pid)])
    return CpuReading(pids, sum(time.clock_gettime(process_clock(each)) for each in pids))


def read_settled_cpu(pid: int) -> CpuReading:
    """Read the CPU time once the server has stopped working on what was sent to it."""
    last = read_cpu(pid)
    for _ in range(SETTLE_TRIES):
        time.sleep(SETTLE_WAIT_S)
        reading = read_cpu(pid)
        if reading.pids == last.pids and reading.seconds - last.seconds < SETTLED_S:
            return reading
        last = reading
    return last


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the servers and the core of the client; the same one if there is no second."""

    server: int
    client: int

    @property
    def shared(self) -> bool:
        """Whether client and servers take turns on one core."""
        return self.server == self.client


def choose_cores(usable: set[int], siblings: dict[int, set[int]]) -> Cores:
    """Choose two cores that share no execution units if possible; interrupts usually land on the low ones."""
    server = max(usable)
    others = sorted(usable - {server})
    apart = [core for core in others if core not in siblings.get(server, set())]
    return Cores(server, (apart or others or [server])[0])


def usable_cores() -> Cores:
    """Choose among the cores this process may run on."""
    usable = os.sched_getaffinity(0)
    return choose_cores(usable, {core: hyperthreads(core) for core in usable})


def hyperthreads(core: int) -> set[int]:
    """Return the cores that are threads of the same physical core, as far as the kernel tells."""
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        return parse_cpu_list(path.read_text())
    except OSError:
        return {core}


def parse_cpu_list(text: str) -> set[int]:
    """Read the kernel's list format: ``0-2,5`` is {0, 1, 2, 5}."""
    cores: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return cores


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run the block, and every process started in it, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
