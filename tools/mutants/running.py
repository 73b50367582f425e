"""Runs tests against mutants: each in a process forked from this one, in a copy of the tree.

Starting pytest with its plugins takes longer than most mutants live, so this process imports them once. What is
mutated, and the tests, are imported by the fork alone, from its copy: that stands first on the path of the processes
that tests start, too. A copy holds one mutant at a time.
"""

# Rule: nothing of answerback or tests is imported here: a fork must see its own copy only.
# Rule: this process has no threads, and a fork never returns into its code.

import importlib
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

import pytest

from tools.mutants.choosing import PACKAGE
from tools.mutants.mapping import Phase, phases
from tools.mutants.operators import Mutation

WARM: Final = (
    "_hypothesis_pytestplugin", "hypothesis", "pytest_asyncio", "pytest_randomly", "pytest_timeout", "xdist.plugin",
    "asyncio", "uvloop", "yaml", "re2", "google.protobuf.descriptor_pb2", "sqlite3", "unittest.mock",
)  # fmt: skip
NO_TESTS: Final = 5
USAGE: Final = 4  # of a test that is not found by its name
TEST_SECONDS: Final = 40  # the slowest takes 30; a mutant in which one takes longer hangs
GRACE_SECONDS: Final = 60.0
RUN_SECONDS: Final = 900.0  # for what hangs outside of any test
MEMORY_BYTES: Final = 4 << 30  # an endless loop that collects something must not take the machine with it
OPTIONS: Final = (
    "-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly", "--hypothesis-seed=0",
    # Answerback's own plugin imports half of the package before any test is collected, and no mutant's tests use it.
    "-p", "no:answerback",
    "--timeout", str(TEST_SECONDS), "--timeout-method", "thread", "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    HUNG = "hung"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A mutant's fate, and what noticed it."""

    mutant: Mutation
    fate: Fate
    noticed: str = ""
    seconds: float = 0.0


class UncleanError(Exception):
    """Tests fail without any mutation, so that they would kill every mutant."""


@dataclass
class Job:
    """A mutant on its way through its phases; or a test that has noticed one, tried without it."""

    mutant: Mutation | None
    phases: list[Phase]
    started: float = field(default_factory=time.monotonic)
    test: str = ""
    tries: int = 0


@dataclass
class Copy:
    """A copy of the tree, and the process that runs tests in it."""

    path: Path
    stamp: int = 1_000_000_000
    job: Job | None = None
    phase: Phase | None = None
    pid: int = 0
    descriptor: int = -1
    since: float = 0.0

    @property
    def noticed(self) -> Path:
        """Where a run notes the first test that failed."""
        return self.path / ".noticed"

    @property
    def running(self) -> Path:
        """Where a run notes the test that it is at."""
        return self.path / ".running"

    @property
    def output(self) -> Path:
        """What pytest printed."""
        return self.path / ".output"

    def write(self, file: str, content: bytes) -> None:
        """Put a module's text there; the bytecode that was compiled from the former one is never taken for it."""
        at = self.path / PACKAGE / file
        at.write_bytes(content)
        self.stamp += 1  # bytecode is known by the time and the size of its source
        os.utime(at, (self.stamp, self.stamp))


class Runner:
    """Runs mutants, several beside each other, in copies that are made first: the tree may change meanwhile.

    A test that notices a mutant is tried once without any, so that one which fails by itself is not taken for a proof.
    """

    def __init__(self, root: Path, folder: Path, beside: int) -> None:
        self._sources: dict[str, bytes] = {}
        self._copies = [Copy(_copied(root, folder / str(number))) for number in range(beside)]
        self._sound: set[str] = set()
        self._unproved: dict[str, list[Verdict]] = {}
        for name in WARM:
            importlib.import_module(name)

    def run(self, mutants: Sequence[Mutation], until: float) -> Iterator[Verdict]:
        """Each one's fate, as it becomes known. Raises UncleanError.

        None is begun after `until`; what is not known a minute later does not count.
        """
        untouched = self._copies[0].path
        jobs = [Job(mutant, list(phases(mutant.file, untouched))) for mutant in mutants]
        self._sources = {file: (untouched / PACKAGE / file).read_bytes() for file in {each.file for each in mutants}}
        ready: list[Job] = []
        try:
            while True:
                if time.monotonic() >= until:
                    jobs.clear()
                for copy in self._copies:
                    if not copy.pid and (ready or jobs):
                        self._begin(copy, (ready or jobs).pop(0))
                if not any(copy.pid for copy in self._copies) or time.monotonic() >= until + GRACE_SECONDS:
                    return
                for copy, code in self._ended(until + GRACE_SECONDS):
                    yield from self._settle(copy, code, ready)
        finally:
            for copy in self._copies:
                _kill(copy)

    def _begin(self, copy: Copy, job: Job) -> None:
        if job.mutant:
            copy.write(job.mutant.file, job.mutant.applied(self._sources[job.mutant.file]))
            job.started = job.started if job.tries else time.monotonic()
        job.tries += 1
        copy.job, copy.phase, copy.since = job, job.phases[0], time.monotonic()
        copy.noticed.unlink(missing_ok=True)
        copy.running.unlink(missing_ok=True)
        copy.pid = _forked(copy, copy.phase)
        copy.descriptor = os.pidfd_open(copy.pid)

    def _ended(self, until: float) -> list[tuple[Copy, int | None]]:
        """Wait until runs have ended: those, with their exit codes; None for one that has taken too long."""
        running = [copy for copy in self._copies if copy.pid]
        wait = max(0.0, min(until, min(copy.since for copy in running) + RUN_SECONDS) - time.monotonic())
        readable, _, _ = select.select([copy.descriptor for copy in running], [], [], wait)
        now = time.monotonic()
        ended: list[tuple[Copy, int | None]] = []
        for copy in running:
            if copy.descriptor in readable:
                _, status = os.waitpid(copy.pid, 0)
                ended.append((copy, os.waitstatus_to_exitcode(status)))
                _kill(copy, reaped=True)
            elif now >= copy.since + RUN_SECONDS:
                _kill(copy)
                ended.append((copy, None))
        return ended

    def _settle(self, copy: Copy, code: int | None, ready: list[Job]) -> Iterator[Verdict]:
        """What follows from a run."""
        job, phase = copy.job, copy.phase
        assert job
        assert phase
        copy.job = None
        passed = code in {0, NO_TESTS}
        if job.mutant is None:
            yield from self._proved(copy, job, code, ready)
            return
        copy.write(job.mutant.file, self._sources[job.mutant.file])
        if passed and len(job.phases) > 1:
            job.phases.pop(0)
            ready.insert(0, job)
            return
        seconds = time.monotonic() - job.started
        if passed:
            yield Verdict(job.mutant, Fate.SURVIVED, seconds=seconds)
            return
        at = next((each.read_text() for each in (copy.noticed, copy.running) if each.exists()), phase.paths[0])
        hung = code is None or (copy.running.exists() and not copy.noticed.exists())
        verdict = Verdict(job.mutant, Fate.HUNG if hung else Fate.KILLED, at, seconds)
        if at in self._sound:
            yield verdict
        elif at in self._unproved:
            self._unproved[at].append(verdict)
        else:
            self._unproved[at] = [verdict]
            ready.append(Job(None, [Phase((at,), marks=phase.marks)], test=at))

    def _proved(self, copy: Copy, job: Job, code: int | None, ready: list[Job]) -> Iterator[Verdict]:
        """What follows from a run of a test without a mutant: the mutants that it has noticed, if it passes."""
        if code == 0:
            self._sound.add(job.test)
            yield from self._unproved.pop(job.test)
        elif job.tries == 1:  # once is a test that fails now and then; and one may not be found by its name alone
            if code in {USAGE, NO_TESTS}:
                job.phases = [Phase((job.test.partition("::")[0],), marks=job.phases[0].marks)]
            ready.insert(0, job)
        else:
            raise UncleanError(f"fails without a mutation: {job.test}\n{_tail(copy.output)}")


def _copied(root: Path, to: Path) -> Path:
    """A copy of what git has of the tree, and of what is new in it."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        source = root / name
        if name and (source.is_file() or source.is_symlink()):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to / name, follow_symlinks=False)
    return to


class _Notes:
    """A plugin that notes the first test which failed, and has Hypothesis neither shrink nor remember."""

    def __init__(self, noticed: Path, running: Path) -> None:
        self._noticed = noticed
        self._running = running

    def pytest_configure(self) -> None:
        import hypothesis  # noqa: PLC0415  # its settings are those of the run from here on

        settings, phase = hypothesis.settings, hypothesis.Phase
        settings.register_profile(
            "mutants", settings(), phases=[phase.explicit, phase.generate], database=None, derandomize=False
        )
        settings.load_profile("mutants")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._running.write_text(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self._noticed.exists():
            self._noticed.write_text(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self._noticed.exists():
            self._noticed.write_text(report.nodeid)


def _forked(copy: Copy, phase: Phase) -> int:
    """Run pytest in a fork; its pid."""
    if pid := os.fork():  # noqa: TID251  # nothing here has started gRPC or a thread
        return pid
    code = 70
    try:
        os.setsid()
        output = os.open(copy.output, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        os.chdir(copy.path)
        own = [str(copy.path / "service"), str(copy.path)]
        os.environ["PYTHONPATH"] = os.pathsep.join(own)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.pop("ANSWERBACK_SKIPS", None)
        original = Path(__file__).resolve().parents[2]
        others = {"", str(original), str(original / "service")}
        sys.path[:] = own + [each for each in sys.path if each not in others]
        for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
            del sys.modules[name]
        sys.modules.pop("__main__", None)
        sys.argv = ["pytest"]
        code = int(pytest.main([*OPTIONS, *phase.arguments()], plugins=[_Notes(copy.noticed, copy.running)]))
    except BaseException:  # noqa: BLE001  # whatever it is, it ends the fork
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # the parent's cleaning up is not this process's to do


def _kill(copy: Copy, *, reaped: bool = False) -> None:
    """End a run and what it has started."""
    if not copy.pid:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(copy.pid, signal.SIGKILL)
    if not reaped:
        os.waitpid(copy.pid, 0)
    os.close(copy.descriptor)
    copy.pid, copy.descriptor = 0, -1


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-40:]) if path.exists() else ""
