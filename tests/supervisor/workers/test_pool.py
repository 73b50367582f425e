"""Workers that die, hang or do not start: queued clients are served, and the counters balance."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from answerback.core.actions import CloseReason
from answerback.supervisor import State, Timeouts
from answerback.supervisor.workers.pool import LATE_SECONDS
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import QUICK, Asking, Supervised, ask, config, faulty, listener, reset, until

pytestmark = pytest.mark.long

SLOWLY = listener("late", more="{delay: 20ms},")
AWAY = Timeouts(backoff_seconds=(1.5,), cover_from_seconds=1.0)
AT_ONCE = Timeouts(backoff_seconds=(0.0,))


async def at_rest(supervisor: Supervised) -> None:
    """The counters balance: no connection is open, and all accepted ones were closed."""
    await until(lambda: supervisor.balance()[2] == 0)
    accepted, closed, open_ = supervisor.balance()
    assert (closed, open_) == (accepted, 0)


async def test_killed_worker_loses_its_own_connections_only(supervise: Supervise) -> None:
    supervisor = await supervise(SLOWLY, workers=2)
    clients = Asking(supervisor.port(), 48, pause=0)
    for round_ in range(4):
        await clients.more(300)
        pid = supervisor.kill(round_ % 2)
        await supervisor.until_replaced(round_ % 2, pid)
    await clients.more(300)
    await clients.stop()
    crashed = supervisor.closed(CloseReason.WORKER_CRASHED)
    assert crashed >= 1
    assert clients.failures <= crashed + 4  # one for each kill: accepted, and not yet counted
    assert [worker.restarts for worker in supervisor.status().workers] == [2, 2]
    await at_rest(supervisor)
    accepted, _, _ = supervisor.balance()
    assert accepted <= clients.answers.total() + len(clients.errors) <= accepted + 4


async def test_counters_continue_after_a_worker_death(supervise: Supervise) -> None:
    supervisor = await supervise(workers=1)
    assert await supervisor.answers(count=3) == {b"one"}
    await supervisor.until_replaced(0, supervisor.kill(0))
    assert await supervisor.answers(count=3) == {b"one"}
    assert supervisor.status().listeners[0].counts.requests == 6


async def test_hanging_worker_is_replaced_and_its_clients_are_answered(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = await supervise(workers=2, timeouts=Timeouts(silence_seconds=2.0))
    pid = supervisor.kill(0, signal.SIGSTOP)
    answers = asyncio.ensure_future(supervisor.answers())
    await supervisor.until_replaced(0, pid)
    assert await answers == {b"one"}
    assert "worker 0 was killed: it sent no heartbeat and made no progress for 2 s" in caplog.text


async def test_delayed_supervisor_counts_no_worker_as_dead(supervise: Supervise) -> None:
    supervisor = await supervise(workers=1, timeouts=Timeouts(silence_seconds=2.0))
    (worker,) = supervisor._pool.workers
    worker.last_event_time -= 100  # as if nothing had been heard for long,
    supervisor._pool._ticked -= 2 * LATE_SECONDS  # because the supervisor did not run
    await until(lambda: supervisor._pool._ticked > worker.last_event_time)
    assert supervisor.status().workers[0].restarts == 0
    assert await supervisor.answers() == {b"one"}


async def test_another_worker_covers_a_slot_that_waits_for_its_restart(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    supervisor = await supervise(workers=2, timeouts=AWAY)
    clients = Asking(supervisor.port(), 2)
    pid = supervisor.kill(0)
    await until(lambda: supervisor.pids()[0] == 0)
    await supervisor.update(config(listener("one"), listener("added", name="added")))
    assert await supervisor.answers() == {b"one"}, "connections of both slots are answered meanwhile"
    assert await supervisor.answers("added") == {b"added"}, "those to new addresses too"
    assert supervisor.pids()[0] == 0
    assert "worker 1 also accepts for slot 0" in caplog.text
    await supervisor.until_replaced(0, pid)
    await clients.more()
    await clients.stop()
    assert clients.failures <= 2


async def test_stand_in_worker_may_die_and_clients_are_still_answered(supervise: Supervise) -> None:
    supervisor = await supervise(workers=3, timeouts=AWAY)
    supervisor.kill(0)
    await until(lambda: supervisor.pids()[0] == 0)
    supervisor.kill(1)
    await until(lambda: supervisor.pids()[1] == 0)
    assert await supervisor.answers(count=36) == {b"one"}
    assert supervisor.pids()[:2] == [0, 0]


async def test_clients_without_any_worker_wait_for_the_first_successor(supervise: Supervise) -> None:
    supervisor = await supervise(workers=1, timeouts=AWAY)
    pid = supervisor.kill(0)
    await until(lambda: supervisor.status().state == State.NOT_SERVING)
    assert supervisor.health.reason == "no worker is running: worker 0 was killed by SIGKILL"
    assert not supervisor.health.statuses["listener/hello"]
    change = await supervisor.update(config(listener("two")))
    assert (change.changed, change.workers) == (True, 0)
    assert await supervisor.answers() == {b"two"}
    await supervisor.until_replaced(0, pid)
    await until(lambda: supervisor.health.serving)


async def test_five_worker_deaths_within_60_s_are_the_reason_of_not_serving(supervise: Supervise) -> None:
    supervisor = await supervise(workers=2, timeouts=AT_ONCE)
    for _ in range(4):
        await supervisor.until_replaced(1, supervisor.kill(1))
    assert supervisor.health.serving
    await supervisor.until_replaced(1, supervisor.kill(1, signal.SIGSEGV))
    assert supervisor.status().state == State.NOT_SERVING
    assert supervisor.health.reason == "5 workers died within 60 s, the last one: worker 1 was killed by SIGSEGV"
    assert dict(supervisor.health.statuses) == {
        "": False,
        "readiness": False,
        "listener/hello": False,
        "liveness": True,
    }
    assert await supervisor.answers() == {b"one"}, "it goes on all the same"
    supervisor._pool.crash_loop._times.extend([-1000.0] * 5)  # as if they had died long ago
    await until(lambda: supervisor.health.serving)
    assert supervisor.status().state == State.SERVING


async def until_died(supervisor: Supervised, exit_reason: str) -> None:
    await until(lambda: supervisor._pool.last_death.startswith(exit_reason))


async def test_new_worker_that_does_not_start_is_retried(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = await supervise(workers=1, timeouts=Timeouts(backoff_seconds=(0.05,)))
    (real,) = {supervisor.options}
    pid = supervisor.pids()[0]
    for command, exit_reason in [
        (("/no/python",), "worker 0 cannot be started: "),
        (faulty("start", "raise"), "worker 0 exited with status 1"),
        (
            faulty("before prepared", "refuse", revision=1),
            "worker 0 was killed: it cannot serve the active revision: listeners[0]: this worker",
        ),
    ]:
        options = Supervised(supervisor.path, worker_command=command).options
        monkeypatch.setattr(supervisor._pool, "_options", options)
        supervisor._pool.last_death = ""
        supervisor._pool.slots[0].failures = 0
        if supervisor.pids()[0]:
            supervisor.kill(0)
        await until_died(supervisor, exit_reason)
    assert supervisor.health.reason
    monkeypatch.setattr(supervisor._pool, "_options", real)
    await supervisor.until_replaced(0, pid)
    assert await supervisor.answers() == {b"one"}


async def test_connections_of_a_dead_worker_do_not_count_for_their_peers(supervise: Supervise) -> None:
    limited = listener(more="{delay: 1m},") + "  limits: {max_connections_per_peer: 1}\n"
    supervisor = await supervise(limited, workers=1)
    first = socket.create_connection(("127.0.0.1", supervisor.port()))
    first.sendall(b"hi")
    await until(lambda: supervisor.balance()[2] == 1)
    assert await asyncio.to_thread(ask, supervisor.port(), b"") == b"", "the second is turned away"
    await supervisor.until_replaced(0, supervisor.kill(0))
    first.close()
    second = socket.create_connection(("127.0.0.1", supervisor.port()))
    second.sendall(b"hi")
    await until(lambda: supervisor.balance()[2] == 1)
    assert supervisor.closed(CloseReason.WORKER_CRASHED) == 1
    reset(second)


def blocked_signals(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")]
    return int(mask, 16)


async def test_workers_ignore_signals_of_the_supervisor(supervise: Supervise) -> None:
    supervisor = await supervise(workers=1)
    pid = supervisor.pids()[0]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        supervisor.kill(0, number)
    assert await supervisor.answers() == {b"one"}
    assert supervisor.pids() == [pid]
    assert blocked_signals(pid) == 0


async def test_worker_restarted_during_a_change_has_the_new_configuration(supervise: Supervise) -> None:
    supervisor = await supervise(workers=2, timeouts=QUICK)
    pid = supervisor.kill(0)
    await until(lambda: supervisor.pids()[0] != pid)
    for number in range(5):
        await supervisor.update(config(listener(str(number))))
    await supervisor.until_replaced(0, pid)
    assert await supervisor.answers() == {b"4"}
