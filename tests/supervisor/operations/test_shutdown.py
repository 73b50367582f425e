"""Shutdown: in order, in time, and by force where necessary."""

import asyncio
import signal
import socket
from time import monotonic

import pytest

from answerback.core.actions import CloseReason
from answerback.supervisor import State, Timeouts
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, alive, ask, listener, refused, until

pytestmark = pytest.mark.long

PATIENT = listener("late", more="{delay: 300ms},")
STUCK = listener("never", more="{delay: 1h},")


def connect(supervisor: Supervised, say: bytes = b"hi\n") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", supervisor.port()), timeout=20)
    client.sendall(say)
    return client


async def answer_of(client: socket.socket) -> bytes:
    with client:
        return await asyncio.to_thread(client.recv, 100)


async def test_stop_of_idle_server_ends_at_once(supervise: Supervise) -> None:
    supervisor = await supervise(workers=2)
    pids, port, began = supervisor.pids(), supervisor.port(), monotonic()
    await supervisor.stop()
    assert monotonic() - began < 4
    assert not any(map(alive, pids))
    assert refused(port)


async def test_shutdown_reports_not_serving_first(supervise: Supervise) -> None:
    supervisor = await supervise()
    states = [dict(supervisor.health.statuses)]
    stopping = asyncio.ensure_future(supervisor.stop())
    await asyncio.sleep(0)
    states.append(dict(supervisor.health.statuses))
    assert [each["readiness"] for each in states] == [True, False]
    assert [each["listener/hello"] for each in states] == [True, False]
    assert [each["liveness"] for each in states] == [True, True]
    assert (supervisor.status().state, supervisor.health.reason) == (State.DRAINING, "shutting down")
    await stopping


async def test_stop_finishes_replies_in_progress(supervise: Supervise) -> None:
    supervisor = await supervise(PATIENT, workers=2)
    port = supervisor.port()
    clients = [connect(supervisor) for _ in range(8)]
    await until(lambda: supervisor.balance()[2] == 8)
    stopping = asyncio.ensure_future(supervisor.stop())
    await until(lambda: refused(port))
    assert not stopping.done()
    assert await asyncio.gather(*map(answer_of, clients)) == [b"late"] * 8
    await stopping
    accepted, closed, open_ = supervisor.balance()
    assert (closed, open_) == (accepted, 0)


async def test_connections_are_accepted_during_the_drain_delay(supervise: Supervise) -> None:
    supervisor = await supervise(drain_delay_seconds=0.5)
    port = supervisor.port()
    began = monotonic()
    stopping = asyncio.ensure_future(supervisor.stop())
    await asyncio.sleep(0)
    assert not supervisor.health.serving
    assert await asyncio.to_thread(ask, port) == b"one"
    await stopping
    assert monotonic() - began >= 0.5
    assert refused(port)


async def test_stop_resets_stuck_connections_within_the_grace_period(supervise: Supervise) -> None:
    supervisor = await supervise(STUCK, workers=2, grace_seconds=2.0)
    clients = [connect(supervisor) for _ in range(4)]
    await until(lambda: supervisor.balance()[2] == 4)
    began = monotonic()
    await supervisor.stop()
    assert 1 < monotonic() - began < 2
    for client in clients:
        with pytest.raises(ConnectionResetError):
            await answer_of(client)
    assert supervisor.closed(CloseReason.ABORTED) == 4
    assert supervisor.balance() == (4, 4, 0)


async def test_stop_called_twice_aborts(supervise: Supervise) -> None:
    supervisor = await supervise(STUCK, drain_delay_seconds=60.0, grace_seconds=120.0)
    client = connect(supervisor)
    await until(lambda: supervisor.balance()[2] == 1)
    stopping = asyncio.ensure_future(supervisor.stop())
    await asyncio.sleep(0)
    began = monotonic()
    await supervisor.stop(abort=True)
    assert monotonic() - began < 4
    await stopping
    with pytest.raises(ConnectionResetError):
        await answer_of(client)


async def test_shutdown_kills_a_worker_that_does_not_exit(supervise: Supervise) -> None:
    supervisor = await supervise(STUCK, workers=2, grace_seconds=1.0)
    clients = [connect(supervisor) for _ in range(2)]
    await until(lambda: supervisor.balance()[2] == 2)
    pids = supervisor.pids()
    supervisor.kill(0, signal.SIGSTOP)
    supervisor.kill(1, signal.SIGSTOP)
    began = monotonic()
    await supervisor.stop()
    assert monotonic() - began < 4
    assert not any(map(alive, pids))
    assert supervisor.closed(CloseReason.WORKER_CRASHED) == 2
    assert supervisor.balance() == (2, 2, 0)
    for client in clients:
        client.close()


async def test_worker_that_dies_during_stop_is_not_replaced(supervise: Supervise) -> None:
    supervisor = await supervise(STUCK, workers=2, grace_seconds=4.0)
    client = connect(supervisor)
    await until(lambda: supervisor.balance()[2] == 1)
    port = supervisor.port()
    stopping = asyncio.ensure_future(supervisor.stop())
    await until(lambda: refused(port))
    supervisor.kill(0)
    supervisor.kill(1)
    await stopping
    assert [worker.restarts for worker in supervisor.status().workers] == [0, 0]
    client.close()


async def test_stop_serves_clients_queued_at_a_slot_without_worker(supervise: Supervise) -> None:
    supervisor = await supervise(
        PATIENT, workers=2, timeouts=Timeouts(backoff_seconds=(60.0,), cover_from_seconds=120.0)
    )
    supervisor.kill(0)
    await until(lambda: supervisor.pids()[0] == 0)
    clients = [connect(supervisor) for _ in range(24)]
    answers = asyncio.gather(*map(answer_of, clients))
    await supervisor.stop()
    assert await answers == [b"late"] * 24
