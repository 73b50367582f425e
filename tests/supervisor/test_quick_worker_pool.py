"""The worker pool in fractions of a second: deaths, hangs, vacant slots, and a supervisor that was paused."""

import asyncio
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import monotonic

import pytest

from answerback.core.actions import CloseReason
from answerback.internal.v1.link_pb2 import Command
from answerback.supervisor import State, Timeouts
from answerback.supervisor.workers.pool import LATE_SECONDS
from answerback.supervisor.workers.slot import CrashLoop, Slot
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import alive, ask, config, listener, until
from tests.supervisor.talking import lines, talking

AWAY = Timeouts(backoff_seconds=(60.0,), cover_from_seconds=1.0)
ALONE = Timeouts(backoff_seconds=(60.0,), cover_from_seconds=61.0)


async def test_worker_death_loses_only_its_connections_and_the_counters_balance(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), workers=2)
    clients = await talking(supervisor, 12)
    before = supervisor.pids()
    ids = [await client.ask(b"id") for client in clients]
    pid = supervisor.kill(0)
    lost = [client for client, id_ in zip(clients, ids, strict=True) if id_.startswith(b"%d-" % pid)]
    await supervisor.until_replaced(0, pid)
    assert supervisor.closed(CloseReason.WORKER_CRASHED) == len(lost)
    for client in clients:
        assert await client.ask() == (b"" if client in lost else b"one")
        await client.close()
    (client,) = await talking(supervisor, 1)
    await client.close()
    await until(lambda: supervisor.balance() == (13, 13, 0))
    assert [worker.restarts for worker in supervisor.status().workers] == [1, 0]
    assert supervisor.pids()[1] == before[1]
    assert not alive(pid)


async def test_new_worker_without_a_heartbeat_in_time_is_killed_and_replaced(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(workers=1, timeouts=Timeouts(answer_seconds=30.0, backoff_seconds=(0.02,)))
    silent = (sys.executable, "-c", "import time; time.sleep(60)")
    pool, real, pid = supervisor._pool, supervisor.options, supervisor.pids()[0]
    monkeypatch.setattr(pool, "_options", replace(real, worker_command=silent))
    monkeypatch.setattr(pool, "_timeouts", replace(pool._timeouts, start_seconds=0.2))
    supervisor.kill(0)
    await until(lambda: "it did not start within 0.2 s" in pool.last_death)
    monkeypatch.setattr(pool, "_options", real)
    monkeypatch.setattr(pool, "_timeouts", replace(pool._timeouts, start_seconds=30.0))
    await supervisor.until_replaced(0, pid)
    assert await supervisor.answers() == {b"one"}


async def test_worker_silent_past_its_limit_is_replaced_and_no_other(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = await supervise(workers=2, timeouts=Timeouts(silence_seconds=2.0))
    pid, other = supervisor.pids()
    supervisor.kill(0, signal.SIGSTOP)
    supervisor._pool.slots[0].process.last_event_time -= 100  # type: ignore[union-attr]  # it has been silent for long
    await supervisor.until_replaced(0, pid)
    assert "worker 0 was killed: it sent no heartbeat and made no progress for 2 s" in caplog.text
    assert supervisor.pids()[1] == other
    assert await supervisor.answers() == {b"one"}


@pytest.mark.parametrize("silent, killed", [(1.7, False), (2.01, True)])
async def test_worker_is_killed_only_after_its_silence_limit(supervise: Supervise, silent: float, killed: bool) -> None:
    supervisor = await supervise(workers=1, timeouts=Timeouts(silence_seconds=2.0))
    pool = supervisor._pool
    (worker,) = pool.workers
    pool.stop_watching()
    pool._ticked = monotonic()
    worker.last_event_time = monotonic() - silent
    pool._watch()
    assert bool(worker.kill_reason) is killed


async def test_paused_supervisor_kills_no_worker(supervise: Supervise) -> None:
    """As after the machine was paused: no heartbeat was received for long, because the supervisor did not run."""
    supervisor = await supervise(workers=2, timeouts=Timeouts(silence_seconds=2.0))
    pids = supervisor.pids()
    workers = supervisor._pool.workers
    for worker in workers:
        supervisor.kill(worker.slot, signal.SIGSTOP)  # so that no beat comes between
        worker.last_event_time -= 100
    supervisor._pool._ticked -= 3 * LATE_SECONDS
    began = supervisor._pool._ticked
    await until(lambda: supervisor._pool._ticked > began)
    assert all(monotonic() - worker.last_event_time < 60 for worker in workers), "their silence begins again"
    for worker in workers:
        supervisor.kill(worker.slot, signal.SIGCONT)
    assert supervisor.pids() == pids
    assert await supervisor.answers() == {b"one"}
    assert [worker.restarts for worker in supervisor.status().workers] == [0, 0]


async def test_another_worker_serves_the_queue_of_a_vacant_slot(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2, timeouts=AWAY)
    supervisor.kill(0)
    await until(lambda: supervisor.pids()[0] == 0)
    change = await supervisor.update(config(listener("one"), listener("added", name="added")))
    assert change.workers == 1
    assert await supervisor.answers() == {b"one"}
    assert await supervisor.answers("added") == {b"added"}, "addresses that came meanwhile too"
    assert supervisor.status().state is State.SERVING


def stands_in(slot: Slot) -> bool:
    """Whether a sibling accepts for it."""
    return slot.vacant and slot.adopter is not None


async def test_vacant_slots_are_shared_among_the_other_workers(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=4, timeouts=AWAY)
    pool = supervisor._pool
    for slot in reversed(pool.slots[2:]):
        supervisor.kill(slot.index)
        await until(partial(stands_in, slot))
    assert {slot.adopter for slot in pool.slots[2:]} == {slot.worker for slot in pool.slots[:2]}
    assert not await pool.replace(pool.slots[3])
    assert supervisor.pids()[3] == 0
    assert await supervisor.answers() == {b"one"}


async def test_sibling_stands_in_for_a_slot_during_a_long_backoff(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = await supervise(
        listener("one"), workers=2, timeouts=Timeouts(backoff_seconds=(0.3, 0.1), cover_from_seconds=0.3)
    )
    slot, sibling = supervisor._pool.slots[0], supervisor._pool.workers[1]
    told: list[str] = []
    tell = sibling.tell

    def noted(order: Command, sockets: Sequence[socket.socket] = ()) -> None:
        told.append(f"{order.WhichOneof('kind')} {order.adopt.slot + order.release.slot} with {len(sockets)}")
        tell(order, sockets)

    monkeypatch.setattr(sibling, "tell", noted)
    await supervisor.until_replaced(0, supervisor.kill(0))
    await until(lambda: "release 0 with 0" in told)
    assert told == ["adopt 0 with 1", "release 0 with 0"]
    assert (slot.vacant, slot.adopter) == (False, None)
    told.clear()
    await supervisor.until_replaced(0, supervisor.kill(0))
    assert told == [], "so short a wait is nobody's business"
    assert await supervisor.answers() == {b"one"}


async def test_pool_without_workers_keeps_clients_waiting_and_reports_why(supervise: Supervise) -> None:
    supervisor = await supervise(workers=1, timeouts=Timeouts(backoff_seconds=(0.3,), cover_from_seconds=0.3))
    pid = supervisor.kill(0)
    await until(lambda: supervisor.status().state is State.NOT_SERVING)
    assert supervisor.health.reason == "no worker is running: worker 0 was killed by SIGKILL"
    assert not supervisor.health.statuses["listener/hello"]
    assert supervisor.health.statuses["liveness"]
    answer = asyncio.ensure_future(asyncio.to_thread(ask, supervisor.port()))
    await supervisor.until_replaced(0, pid)
    assert await answer == b"one"
    await until(lambda: supervisor.health.serving)


async def test_peer_limit_is_freed_of_connections_of_a_dead_worker(supervise: Supervise) -> None:
    limited = listener(more="{delay: 1m},") + "  limits: {max_connections_per_peer: 1}\n"
    supervisor = await supervise(limited, workers=1)
    for round_ in range(2):
        with socket.create_connection(("127.0.0.1", supervisor.port())) as client:
            client.sendall(b"hi")
            await until(lambda: supervisor.balance()[2] == 1)
            assert await asyncio.to_thread(ask, supervisor.port(), b"") == b""
            await supervisor.until_replaced(0, supervisor.kill(0))
        assert supervisor.closed(CloseReason.WORKER_CRASHED) == round_ + 1


async def test_stop_answers_clients_queued_at_a_slot_without_worker(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2, timeouts=ALONE)
    supervisor.kill(0)
    await until(lambda: supervisor.pids()[0] == 0)
    port = supervisor.port()
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(24)]
    for client in clients:
        client.sendall(b"hi\n")
    stopping = asyncio.ensure_future(supervisor.stop())
    for client in clients:
        with client:
            assert await asyncio.to_thread(client.recv, 10) == b"one"
    await stopping
    assert supervisor.balance() == (24, 24, 0)


async def test_five_worker_deaths_make_the_server_unhealthy_and_it_serves_on(supervise: Supervise) -> None:
    supervisor = await supervise(workers=1)
    for _ in range(4):
        supervisor._pool.crash_loop.add()
    supervisor._pool._report()
    assert supervisor.health.serving
    await supervisor.until_replaced(0, supervisor.kill(0, signal.SIGSEGV))
    assert supervisor.health.reason == "5 workers died within 60 s, the last one: worker 0 was killed by SIGSEGV"
    assert supervisor.status().state is State.NOT_SERVING
    assert await supervisor.answers() == {b"one"}


# ── Exactly how long, how many ──────────────────────────────────────────────────────────────────────────────────────
class Moment:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Moment:
    clock = Moment()
    monkeypatch.setattr("answerback.supervisor.workers.slot.monotonic", clock)
    return clock


@pytest.mark.parametrize("within, many", [(59.9, True), (60.0, False), (61.0, False)])
def test_five_deaths_within_a_minute_are_a_crash_loop(clock: Moment, within: float, many: bool) -> None:
    deaths = CrashLoop(Timeouts())
    for number in range(5):
        assert not deaths.detected
        clock.now = 1000.0 + within * number / 4
        deaths.add()
    assert deaths.detected is many


def test_crash_loop_ends_after_a_minute_without_deaths(clock: Moment) -> None:
    deaths = CrashLoop(Timeouts())

    def too_many() -> bool:
        return deaths.detected

    for _ in range(5):
        deaths.add()
    clock.now += 59.9
    assert too_many()
    deaths.add()
    clock.now += 59.9
    assert too_many(), "the last of them counts"
    clock.now += 0.1
    assert not too_many()
    deaths.add()
    assert not too_many(), "they begin to count again"


class Dead:
    """A process, as far as a slot asks when it has died."""

    def __init__(self, up_since: float) -> None:
        self.up_since = up_since


def test_restart_delay_grows_until_a_worker_has_served_for_a_minute(clock: Moment) -> None:
    timeouts = Timeouts()
    slot = Slot(0, 0)
    assert [slot.delay_after_death(timeouts) for _ in range(10)] == [*timeouts.backoff_seconds, 30.0, 30.0]
    clock.now = 5000.0
    slot.process = Dead(0.0)  # type: ignore[assignment]  # it never served
    assert slot.delay_after_death(timeouts) == 30.0
    slot.process = Dead(5000.0 - 59.9)  # type: ignore[assignment]
    assert slot.delay_after_death(timeouts) == 30.0
    slot.process = Dead(5000.0 - 60.0)  # type: ignore[assignment]
    assert [slot.delay_after_death(timeouts) for _ in range(2)] == [0.0, 0.0], "each of them has served for long"


def test_pool_timeouts_are_those_of_the_documentation() -> None:
    timeouts = Timeouts()
    assert (timeouts.start_seconds, timeouts.answer_seconds, timeouts.silence_seconds) == (10.0, 5.0, 5.0)
    assert (timeouts.crash_count, timeouts.crash_window_seconds, timeouts.cover_from_seconds) == (5, 60.0, 1.0)
    assert timeouts.backoff_seconds == (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
