"""Shutdown in fractions of a second. More in test_shutdown.py."""

import asyncio
import signal
from time import monotonic
from typing import Any, cast
from unittest.mock import Mock

import pytest

from answerback.core.actions import CloseReason
from answerback.supervisor import State
from answerback.supervisor.operations import shutdown
from answerback.supervisor.options import Options
from tests.supervisor.conftest import Supervise
from tests.supervisor.skipping import SkippingLoop
from tests.supervisor.supervising import Supervised, alive, refused, until
from tests.supervisor.talking import SECONDS, Client, ends, lines, talking


async def stopped(supervisor: Supervised) -> float:
    """Stop it; how long that took."""
    began = monotonic()
    async with asyncio.timeout(SECONDS):
        await supervisor.stop()
    return monotonic() - began


async def test_shutdown_finishes_replies_in_progress_and_frees_everything(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), workers=2)
    clients, port, pids = await talking(supervisor, 6), supervisor.port(), supervisor.pids()
    assert await clients[0].ask(b"slow") == b"begun"
    ending = asyncio.ensure_future(ends(clients))
    await stopped(supervisor)
    assert [data for data, _ in await ending] == [b"done\n", *[b""] * 5]
    assert supervisor.closed(CloseReason.DRAIN) == 6
    assert supervisor.balance() == (6, 6, 0)
    assert refused(port)
    assert not any(map(alive, pids))


async def test_shutdown_reports_not_serving_before_it_closes_anything(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), drain_delay_seconds=0.2)
    began = monotonic()
    stopping = asyncio.ensure_future(stopped(supervisor))
    await asyncio.sleep(0)
    statuses = supervisor.health.statuses
    assert [statuses[name] for name in ("readiness", "listener/hello", "liveness")] == [False, False, True]
    assert (supervisor.status().state, supervisor.health.reason) == (State.DRAINING, "shutting down")
    (client,) = await talking(supervisor, 1)
    _, ended = await client.end()
    assert ended - began >= 0.19, "it accepts on for the drain delay"
    await stopping


@pytest.mark.parametrize("delay", [0.0, 600.0])
async def test_stuck_connection_is_reset_within_the_stop_grace_period(supervise: Supervise, delay: float) -> None:
    supervisor = await supervise(lines(), grace_seconds=0.8, drain_delay_seconds=delay)
    client = await Client.connect(supervisor)
    assert await client.ask(b"stuck") == b"begun"
    took = await stopped(supervisor)
    assert took >= 0.59, "three quarters of the time are for what is in progress"
    with pytest.raises(RuntimeError):
        await client.end()
    assert supervisor.closed(CloseReason.ABORTED) == 1
    assert supervisor.balance() == (1, 1, 0)


async def test_abort_during_a_shutdown_does_not_wait(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), grace_seconds=600.0)
    client = await Client.connect(supervisor)
    assert await client.ask(b"stuck") == b"begun"
    stopping = asyncio.ensure_future(stopped(supervisor))
    await asyncio.sleep(0)
    async with asyncio.timeout(SECONDS):
        await supervisor.stop(abort=True)
    await stopping
    with pytest.raises(RuntimeError):
        await client.end()


async def test_shutdown_kills_an_unresponsive_worker_and_counts_its_connections(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), grace_seconds=0.8)
    (client,) = await talking(supervisor, 1)
    (pid,) = supervisor.pids()
    supervisor.kill(0, signal.SIGSTOP)
    await stopped(supervisor)
    assert not alive(pid)
    assert supervisor.closed(CloseReason.WORKER_CRASHED) == 1
    assert supervisor.balance() == (1, 1, 0)
    await client.close()


async def test_worker_that_dies_during_shutdown_is_not_replaced(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), workers=2, grace_seconds=600.0)
    client = await Client.connect(supervisor)
    assert await client.ask(b"stuck") == b"begun"
    port = supervisor.port()
    stopping = asyncio.ensure_future(stopped(supervisor))
    await until(lambda: refused(port))
    for slot, pid in enumerate(supervisor.pids()):
        if pid:
            supervisor.kill(slot)
    await stopping
    assert [worker.restarts for worker in supervisor.status().workers] == [0, 0]
    await client.close()


# ── Exactly how long: on a clock of the test's own ──────────────────────────────────────────────────────────────────


class Closer:
    """Notes when no address accepts any more, and how long handshakes have."""

    def __init__(self) -> None:
        self.silenced: list[tuple[float, float]] = []

    async def silence_all(self, within_seconds: float) -> None:
        self.silenced.append((asyncio.get_running_loop().time(), within_seconds))


def accepts_for(delay: float, grace: float, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """How long a server without workers accepts on when it stops, and what is left for handshakes then."""
    closer = Closer()

    async def stop() -> None:
        monkeypatch.setattr(shutdown, "monotonic", asyncio.get_running_loop().time)
        pool = cast(Any, Mock(change_targets=(), processes=()))
        options = Options(drain_delay_seconds=delay, grace_seconds=grace)
        await shutdown.shut_down(pool, Mock(), cast(Any, closer), options, asyncio.Event())

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        runner.run(stop())
    (silenced,) = closer.silenced
    return silenced


@pytest.mark.parametrize(
    "delay, grace, accepts, left",
    [(60.0, 1.0, 0.75, 0.0), (60.0, 20.0, 19.0, 0.0), (60.0, 100.0, 60.0, 39.0), (0.0, 8.0, 0.0, 7.0)],
)
def test_drain_delay_is_limited_by_the_grace_period(
    delay: float, grace: float, accepts: float, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert accepts_for(delay, grace, monkeypatch) == pytest.approx((accepts, left), abs=0.001)
