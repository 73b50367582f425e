"""Restarts of the workers in fractions of a second, with real workers. More in test_rolling_restart.py."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from answerback.concurrency.serial import SerialRunner
from answerback.core.actions import CloseReason
from answerback.supervisor import Restarted, RestartInProgress, RestartStep, State, Stopping
from answerback.supervisor.operations.rolling_restart import RollingRestart
from tests.supervisor.conftest import Supervise
from tests.supervisor.skipping import SkippingLoop
from tests.supervisor.supervising import Supervised, alive, config, until
from tests.supervisor.talking import Client, ends, lines, talking

PATIENTLY = 30.0


async def restart(supervisor: Supervised, over: float = 0.0, grace: float = PATIENTLY) -> list[Restarted]:
    return [step async for step in supervisor.operations.restart_workers(over, grace)]


async def test_restart_replaces_each_worker_and_closes_its_connections_in_order(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), workers=2)
    before = supervisor.pids()
    clients = await talking(supervisor, 8)
    assert await clients[0].ask(b"slow") == b"begun"
    ending = asyncio.ensure_future(ends(clients))
    steps = await restart(supervisor, over=0.1)
    assert [data for data, _ in await ending] == [b"done\n", *[b""] * 7]
    after = supervisor.pids()
    assert not {*before} & {*after}
    assert not any(map(alive, before))
    assert [(step.worker, step.step, step.pid) for step in steps] == [
        (worker, step, after[worker]) for worker in (0, 1) for step in RestartStep
    ]
    assert sum(step.connections for step in steps if step.step is RestartStep.REPLACED) == 8
    assert sum(step.connections for step in steps if step.step is RestartStep.RESTARTED) == 0
    assert supervisor.closed(CloseReason.DRAIN) == 8
    assert supervisor.balance() == (8, 8, 0)
    assert [(each.restarts, each.planned_restarts) for each in supervisor.status().workers] == [(0, 1), (0, 1)]
    assert supervisor.status().state is State.SERVING
    (client,) = await talking(supervisor, 1)
    await client.close()


async def test_connection_unfinished_at_restart_grace_is_reset_and_counted(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    (client,) = await talking(supervisor, 1)
    assert await client.ask(b"stuck") == b"begun"
    _, restarted = await restart(supervisor, over=0.05, grace=0.1)
    assert (restarted.step, restarted.connections) == (RestartStep.RESTARTED, 0)
    with pytest.raises(RuntimeError):
        await client.end()
    assert supervisor.closed(CloseReason.ABORTED) == 1
    assert supervisor.balance() == (1, 1, 0)


async def test_restart_gives_a_reply_in_progress_the_grace_period(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    (client,) = await talking(supervisor, 1)
    assert await client.ask(b"slow") == b"begun"  # it takes 0.1 s, and nothing is given to close in
    ending = asyncio.ensure_future(client.end())
    await restart(supervisor, over=0.0, grace=PATIENTLY)
    assert (await ending)[0] == b"done\n"
    assert supervisor.closed(CloseReason.DRAIN) == 1


async def test_change_during_a_restart_reaches_old_and_new_workers(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    stuck, idle = await talking(supervisor, 2)
    assert await stuck.ask(b"stuck") == b"begun"
    steps = supervisor.operations.restart_workers(600.0, PATIENTLY)
    assert (await anext(steps)).step is RestartStep.REPLACED
    with pytest.raises(RestartInProgress):
        await restart(supervisor)
    change = await supervisor.update(config(lines(answer="two")))
    assert change.workers == 1, "who leaves is not counted"
    assert await idle.ask() == b"two"
    new = await Client.connect(supervisor)
    assert await new.ask() == b"two"
    former = supervisor._pool.retiring
    assert former is not None
    former.kill("has been looked at for long enough")
    assert [(step.step, step.connections) async for step in steps] == [(RestartStep.RESTARTED, 2)]
    assert supervisor.closed(CloseReason.WORKER_CRASHED) == 2
    for client in (stuck, idle, new):
        await client.close()
    assert supervisor._pool.retiring is None
    assert len(await restart(supervisor)) == 2, "the next one may begin"


async def test_counters_continue_after_a_restart(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    for _ in range(3):
        (client,) = await talking(supervisor, 1)
        await client.close()
        await restart(supervisor)
    await until(lambda: supervisor.balance() == (3, 3, 0))
    assert supervisor.status().listeners[0].counts.requests == 3


# ── Exactly how long: on a clock of the test's own ──────────────────────────────────────────────────────────────────


class Leaver:
    """A worker that gets DRAIN, and never finishes it."""

    region, slot = 0, 0

    def __init__(self, drained_after: float | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._drained_after = drained_after
        self.exited: asyncio.Future[int] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self.orders: list[tuple[float, Any]] = []
        self.ending = False

    def expect(self, *_: str) -> "asyncio.Future[None]":
        return self.drained

    def tell(self, order: Any) -> None:
        self.orders.append((self._loop.time(), order))
        if order.HasField("drain") and self._drained_after is not None:
            self._loop.call_later(self._drained_after, self.drained.set_result, None)
        if order.HasField("stop"):
            self.exited.set_result(0)

    def kill(self, _charge: str) -> None:
        assert self.exited.done()


def left_after(over: float, grace: float, drained_after: float | None = None) -> tuple[float, Any]:
    """When the worker was told to stop, since it was told to drain; and that order."""

    async def leave() -> Leaver:
        leaver = Leaver(drained_after)
        work = RollingRestart(cast(Any, None), SerialRunner())
        await work._retire(cast(Any, leaver), over, grace)
        return leaver

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        (began, drain), (ended, stop) = runner.run(leave()).orders
    assert stop.HasField("stop")
    return ended - began, drain.drain


@pytest.mark.parametrize("over, grace", [(0.0, 8.0), (600.0, 8.0), (8.0, 600.0), (30.0, 0.0), (0.25, 0.5)])
def test_old_worker_is_stopped_after_duration_and_grace(over: float, grace: float) -> None:
    waited, drain = left_after(over, grace)
    assert waited == pytest.approx(over + grace, abs=0.001)
    assert (drain.handed_over, drain.over_milliseconds) == (True, over * 1000)


def test_old_worker_without_connections_is_stopped_at_once() -> None:
    waited, _ = left_after(600.0, 600.0, drained_after=7.0)
    assert waited == pytest.approx(7.0, abs=0.001)


@pytest.mark.parametrize("error", [Stopping, RestartInProgress])
async def test_rejected_restart_is_not_logged_as_one(error: type[Exception], caplog: pytest.LogCaptureFixture) -> None:
    serial = SerialRunner()
    restarts = RollingRestart(cast(Any, SimpleNamespace(slots=[])), serial)
    with caplog.at_level("INFO"):
        assert [step async for step in restarts.restart(0.0, 0.0)] == []
        assert [record.message for record in caplog.records] == ["restarting the workers"]
        caplog.clear()
        if error is Stopping:
            serial.close(Stopping)
        else:
            restarts._running = True
        with pytest.raises(error):
            await anext(restarts.restart(0.0, 0.0))
    assert caplog.records == []
