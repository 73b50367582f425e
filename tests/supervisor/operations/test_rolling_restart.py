"""Rolling restarts: every client is served, and open connections end in order, or are reset in time."""

import asyncio
import os
import signal
import socket
from contextlib import suppress

import pytest

from answerback.core.actions import CloseReason
from answerback.supervisor import ChangeFailed, Restarted, RestartInProgress, RestartStep, State, Stopping
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Asking, Supervised, alive, config, faulty, listener, until

pytestmark = pytest.mark.long

LINES = """
- name: hello
  address: 127.0.0.1:0
  framing: line
  rules:
  - {when: stuck, do: [{send: "begun "}, {delay: 1h}]}
  - do: [{send: "one\\n"}]
"""
PATIENTLY = 30.0


async def restart(supervisor: Supervised, over: float = 0.1, grace: float = PATIENTLY) -> list[Restarted]:
    return [step async for step in supervisor.operations.restart_workers(over, grace)]


def said(client: socket.socket, request: bytes) -> bytes:
    client.sendall(request)
    return client.recv(100)


def connect(supervisor: Supervised) -> socket.socket:
    return socket.create_connection(("127.0.0.1", supervisor.port()), timeout=20)


async def test_rolling_restart_replaces_every_worker_and_loses_no_client(supervise: Supervise) -> None:
    supervisor = await supervise(listener("one"), workers=2)
    before = supervisor.pids()
    clients = Asking(supervisor.port(), 16)
    await clients.more()
    for _ in range(2):
        await restart(supervisor, over=0.5)
    steps = await restart(supervisor, over=0.5)
    await clients.more()
    await clients.stop()
    after = supervisor.pids()
    assert clients.failures == 0
    assert not set(before) & set(after)
    assert not any(map(alive, before))
    assert [(step.worker, step.step, step.pid, step.connections >= 0) for step in steps] == [
        (worker, step, after[worker], True) for worker in (0, 1) for step in RestartStep
    ]
    assert [(worker.restarts, worker.planned_restarts) for worker in supervisor.status().workers] == [(0, 3)] * 2
    assert supervisor.status().state is State.SERVING
    await until(lambda: supervisor.balance()[2] == 0)
    answers = clients.answers.total()
    assert supervisor.balance() == (answers, answers, 0)
    assert supervisor.status().listeners[0].counts.requests == answers


async def test_restart_closes_idle_connections_over_its_duration(supervise: Supervise) -> None:
    supervisor = await supervise(LINES)
    clients = [connect(supervisor) for _ in range(20)]
    for client in clients:
        assert said(client, b"hi\n") == b"one\n"
    (succeeded, restarted) = await restart(supervisor, over=0.4)
    assert (succeeded.connections, restarted.connections) == (20, 0)
    assert [client.recv(10) for client in clients] == [b""] * 20
    assert supervisor.closed(CloseReason.DRAIN) == 20
    for client in clients:
        client.close()


async def test_connection_unfinished_at_restart_grace_is_reset(supervise: Supervise) -> None:
    supervisor = await supervise(LINES)
    with connect(supervisor) as client:
        assert said(client, b"stuck\n") == b"begun "
        _, restarted = await restart(supervisor, grace=0.2)
        assert restarted.connections == 0, "reset by the worker itself, which has entered it in its books"
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    assert supervisor.closed(CloseReason.ABORTED) == 1


async def test_update_during_rolling_restart_reaches_old_and_new_worker(supervise: Supervise) -> None:
    supervisor = await supervise(LINES)
    with connect(supervisor) as client, connect(supervisor) as stuck:
        assert said(client, b"hi\n") == b"one\n"
        assert said(stuck, b"stuck\n") == b"begun "
        steps = supervisor.operations.restart_workers(600.0, PATIENTLY)
        assert (await anext(steps)).step is RestartStep.REPLACED
        change = await supervisor.update(config(LINES.replace("one", "two"), listener("new", name="new")))
        assert change.workers == 1
        assert said(client, b"hi\n") == b"two\n"
        assert await supervisor.answers("new") == {b"new"}


async def test_rolling_restart_during_another_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(LINES)
    with connect(supervisor) as client:
        assert said(client, b"stuck\n") == b"begun "
        steps = supervisor.operations.restart_workers(0.0, PATIENTLY)
        await anext(steps)
        with pytest.raises(RestartInProgress):
            await restart(supervisor)
    assert [step.step async for step in steps] == [RestartStep.RESTARTED]
    assert len(await restart(supervisor)) == 2


async def test_rolling_restart_continues_after_its_caller_leaves(supervise: Supervise) -> None:
    supervisor = await supervise(workers=2)
    before = supervisor.pids()
    steps = supervisor.operations.restart_workers(0.0, PATIENTLY)
    await anext(steps)
    await steps.aclose()  # type: ignore[attr-defined]
    await until(lambda: not set(before) & set(supervisor.pids()))
    assert await supervisor.answers() == {b"one"}


async def test_restart_with_worker_that_does_not_start_changes_nothing(supervise: Supervise) -> None:
    supervisor = await supervise(workers=2)
    before = supervisor.pids()
    good = supervisor._pool._options
    supervisor._pool._options = supervisor.options.__class__(workers=2, worker_command=faulty("start", "die"))
    with pytest.raises(
        ChangeFailed, match=r"cannot replace worker 0: worker 0 was killed by SIGKILL; it and the workers after it"
    ):
        await restart(supervisor)
    assert supervisor.pids() == before
    assert supervisor.status().state is State.SERVING
    supervisor._pool._options = good
    assert len(await restart(supervisor)) == 4
    assert await supervisor.answers() == {b"one"}


async def test_leaving_worker_killed_during_restart_keeps_counters_balanced(supervise: Supervise) -> None:
    supervisor = await supervise(LINES)
    with connect(supervisor) as client:
        assert said(client, b"stuck\n") == b"begun "
        steps = supervisor.operations.restart_workers(0.0, PATIENTLY)
        await anext(steps)
        former = supervisor._pool.retiring
        assert former is not None
        os.kill(former.pid, signal.SIGKILL)
        (restarted,) = [step async for step in steps]
    assert restarted.connections == 1
    assert supervisor.closed(CloseReason.WORKER_CRASHED) == 1
    assert supervisor.balance() == (1, 1, 0)


async def test_new_worker_that_dies_during_a_restart_is_replaced(supervise: Supervise) -> None:
    supervisor = await supervise(LINES)
    with connect(supervisor) as client:
        assert said(client, b"stuck\n") == b"begun "
        steps = supervisor.operations.restart_workers(0.0, PATIENTLY)
        pid = (await anext(steps)).pid
        assert supervisor.kill(0) == pid
        await supervisor.until_replaced(0, pid)
        with connect(supervisor) as other:
            assert said(other, b"hi\n") == b"one\n"
    assert [step.step async for step in steps] == [RestartStep.RESTARTED]
    await until(lambda: supervisor.balance()[2] == 0)
    assert supervisor.balance() == (2, 2, 0)


async def test_stop_during_rolling_restart_ends_all_workers(supervise: Supervise) -> None:
    supervisor = await supervise(LINES, workers=2, grace_seconds=1.0)
    with connect(supervisor) as client:
        assert said(client, b"stuck\n") == b"begun "
        with suppress(Stopping):
            async for _ in supervisor.operations.restart_workers(PATIENTLY, PATIENTLY):
                asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(supervisor.stop()))
        await supervisor.stop()
    assert not any(supervisor.pids())
    accepted, closed, open_ = supervisor.balance()
    assert (accepted, closed, open_) == (1, 1, 0)
    with pytest.raises(Stopping):
        await restart(supervisor)
