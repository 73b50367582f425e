"""The watchdog kills a worker that is stuck, and not one that is slow."""

import os
import signal
from time import monotonic

import pytest

from answerback.shared.counters import PROGRESS
from answerback.supervisor import Timeouts
from answerback.supervisor.workers import process
from answerback.supervisor.workers.pool import TICK_SECONDS
from answerback.supervisor.workers.process import processor_times
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, faulty, until

IMPATIENT = Timeouts(silence_seconds=1.0, answer_seconds=10.0)
BEFORE_REPLACED = 6.0  # seconds that a stuck worker has, with the patience that is the default


async def until_killed(supervisor: Supervised, pid: int) -> None:
    await until(lambda: supervisor.pids()[0] not in (0, pid))
    assert "it sent no heartbeat and made no progress for 1 s" in supervisor._pool.last_death


@pytest.mark.parametrize("fault", ["spin", "stall", "stall beside a thread"])
async def test_worker_with_a_stuck_event_loop_is_replaced(supervise: Supervise, fault: str) -> None:
    supervisor = await supervise(timeouts=IMPATIENT, worker_command=faulty("after committed", fault, revision=1))
    await until_killed(supervisor, supervisor.pids()[0])


async def test_stopped_worker_is_replaced(supervise: Supervise) -> None:
    supervisor = await supervise(timeouts=IMPATIENT)
    await until_killed(supervisor, supervisor.kill(0, signal.SIGSTOP))
    assert await supervisor.answers(count=3) == {b"one"}


async def test_slow_worker_that_makes_progress_is_not_killed(supervise: Supervise) -> None:
    supervisor = await supervise(timeouts=IMPATIENT, worker_command=faulty("after committed", "crawl", revision=1))
    (worker,) = supervisor._pool.workers
    beat = worker.lag_seconds
    await until(lambda: worker.lag_seconds != beat and worker.lag_seconds > 2.0)  # the beat that was due meanwhile
    assert [(each.pid, each.restarts) for each in supervisor.status().workers] == [(worker.pid, 0)]


async def test_stuck_worker_is_detected_within_the_promised_time() -> None:
    startup = 0.3
    assert Timeouts().silence_seconds + 2 * TICK_SECONDS + startup < BEFORE_REPLACED


async def test_worker_that_waits_for_a_processor_is_not_killed(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(timeouts=IMPATIENT)
    (worker,) = supervisor._pool.workers
    times = (1.0, 1.0)
    monkeypatch.setattr(process, "processor_times", lambda _pid: times)
    worker.last_event_time = now = monotonic()
    assert not worker.stuck(now, 1.0)
    for ran, waited, stuck in [
        (0.0, 0.0, True),
        (0.0, 0.49, True),
        (0.0, 0.51, False),
        (0.49, 9.0, False),
        (0.51, 9.0, True),
    ]:
        times = (1.0 + ran, 1.0 + waited)
        assert worker.stuck(now + 1.1, 1.0) is stuck, (ran, waited)
        assert not worker.stuck(now + 0.9, 1.0)
    worker.last_event_time = now + 1.0
    assert not worker.stuck(now + 1.5, 1.0)
    assert not worker.stuck(now + 1.9, 1.0), "each silence is measured by itself"


async def test_worker_progress_is_a_counter_change_since_the_last_look(supervise: Supervise) -> None:
    supervisor = await supervise()
    (worker,) = supervisor._pool.workers
    supervisor._pool.stop_watching()
    cells = supervisor.counters.region(worker.region)
    worker.progressed(supervisor.counters)
    assert not worker.progressed(supervisor.counters)
    cells[PROGRESS] += 1
    assert worker.progressed(supervisor.counters)
    assert not worker.progressed(supervisor.counters)


def test_processor_times_of_a_missing_process_are_zero() -> None:
    ran, _ = processor_times(os.getpid())
    assert ran > 0
    assert processor_times(1 << 22) == (0.0, 0.0)
