"""The process of one worker: its answers, its end, and its exit reason."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable

import pytest

from answerback.internal.v1.link_pb2 import Command, Commit, Prepare, Stop
from answerback.shared.counters import PROGRESS, SharedCounters
from answerback.supervisor.options import Options
from answerback.supervisor.workers.process import UNTIMELY_SECONDS, WorkerDied, WorkerProcess
from tests.supervisor.supervising import alive, faulty

Start = Callable[..., WorkerProcess]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    memory = SharedCounters.create(1)
    started: list[WorkerProcess] = []

    def start(*command: str) -> WorkerProcess:
        options = Options(worker_command=command) if command else Options()
        started.append(WorkerProcess(0, 0, options, memory))
        return started[-1]

    yield start
    for process in started:
        process.kill("the test is over")
        await process.exited


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


async def test_worker_process_starts_prepares_and_commits(start: Start) -> None:
    process = start()
    assert not process.started.done()
    await process.in_time(process.started, 20, "")
    assert 0 < process.start_seconds < 20
    assert (process.up, process.exit_reason) == (False, "worker 0 lives")
    report = await process.ask(Command(prepare=Prepare(revision=3)), "prepared", "refused", within_seconds=20)
    assert report.prepared.revision == 3
    await process.ask(Command(commit=Commit(revision=3)), "committed", within_seconds=20)
    process.committed(3)
    assert (process.up, process.revision) == (True, 3)


async def test_worker_process_told_to_stop_exits_with_0(start: Start) -> None:
    process = start()
    await process.started
    process.ending = True
    process.tell(Command(stop=Stop()))
    assert await process.exited == 0
    assert process.exit_reason == "worker 0 exited with status 0"
    assert not alive(process.pid)


@pytest.mark.parametrize(
    "text, exit_reason",
    [
        ("import os; os._exit(7)", "worker 0 exited with status 7"),
        ("import os; os.kill(os.getpid(), 11)", "worker 0 was killed by SIGSEGV"),
        ("import os; os.kill(os.getpid(), 40)", "worker 0 was killed by signal 40"),
    ],
)
async def test_worker_process_that_died_has_an_exit_reason(start: Start, text: str, exit_reason: str) -> None:
    process = start(*program(text))
    with pytest.raises(WorkerDied, match=exit_reason):
        await process.in_time(process.started, 20, "")
    assert not process.up


async def test_worker_process_that_does_not_start_in_time_is_killed(start: Start) -> None:
    process = start(*faulty("start", "hang"))
    with pytest.raises(WorkerDied, match="worker 0 was killed: it slept"):
        await process.in_time(process.started, 0.2, "it slept")
    assert process.exited.result() == -signal.SIGKILL


async def test_worker_process_that_does_not_answer_an_order_is_killed(start: Start) -> None:
    process = start()
    await process.started
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(WorkerDied, match=r"worker 0 was killed: it did not answer prepare within 0.2 s"):
        await process.ask(Command(prepare=Prepare()), "prepared", within_seconds=0.2)


async def test_order_to_dead_worker_process_raises_worker_died(start: Start) -> None:
    process = start(*program("pass"))
    await process.exited
    with pytest.raises(WorkerDied, match="worker 0 exited with status 0"):
        await process.ask(Command(prepare=Prepare()), "prepared", within_seconds=20)


async def test_worker_process_that_closes_its_link_is_killed(start: Start) -> None:
    process = start(*program("import os, signal, sys; os.close(int(sys.argv[2])); signal.pause()"))
    assert await process.exited == -signal.SIGKILL


async def test_answer_limit_is_extended_after_the_supervisor_was_blocked(start: Start) -> None:
    process = start()
    await process.started
    answer = asyncio.ensure_future(process.ask(Command(prepare=Prepare()), "prepared", within_seconds=0.05))
    os.kill(process.pid, signal.SIGSTOP)  # it cannot answer meanwhile
    await asyncio.sleep(0)
    blocked(UNTIMELY_SECONDS + 0.1)
    os.kill(process.pid, signal.SIGCONT)
    assert (await answer).HasField("prepared")


def blocked(seconds: float) -> None:
    """The event loop is held up."""
    time.sleep(seconds)  # noqa: TID251 - it is what holds it up


async def test_worker_process_inherits_only_link_and_counters(start: Start) -> None:
    listing = "import os, sys; sys.exit(len(os.listdir('/proc/self/fd')) - 1)"
    process = start(*program(listing))
    assert await process.exited == 5, "standard input, output, error, link and memory"


async def test_worker_has_progressed_when_its_counter_has_changed_since_the_last_look(start: Start) -> None:
    process, memory = start(), SharedCounters.create(1)
    cells = memory.region(0)
    looks = []
    for progress in (0, 0, 1, 1, 5):
        cells[PROGRESS] = progress
        looks.append(process.progressed(memory))
    assert looks == [False, False, True, False, True]


async def test_worker_is_up_since_its_first_revision(start: Start) -> None:
    process = start()
    assert (process.up, process.up_since) == (False, 0.0)
    before = time.monotonic()
    process.committed(1)
    since = process.up_since
    assert process.up
    assert before <= since <= time.monotonic()
    process.committed(2)
    assert (process.revision, process.up_since) == (2, since)
