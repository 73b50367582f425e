"""Drains and resumes in fractions of a second: real workers, real connections. More in test_draining.py."""

import asyncio
from time import monotonic

import pytest

from answerback.core.actions import CloseReason
from answerback.metrics.snapshot import read_block
from answerback.shared.listener_counters import ACCEPT_ERRORS, ACCEPT_FAILED
from answerback.supervisor import DrainProgress, DrainState, State, Stopping
from answerback.supervisor.operations import draining
from answerback.v1 import config_pb2 as v1
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, config, refused, until
from tests.supervisor.talking import Client, ends, lines, talking


async def drain(
    supervisor: Supervised, name: str = "", over: float = 0.0, grace: float | None = None
) -> list[DrainProgress]:
    return [progress async for progress in supervisor.operations.drain(name, over, grace)]


async def test_drain_finishes_replies_closes_in_order_and_refuses_clients(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), lines("other"), workers=2)
    clients, port = await talking(supervisor, 6), supervisor.port()
    assert await clients[0].ask(b"slow") == b"begun"
    ending = asyncio.ensure_future(ends(clients))
    progress = await drain(supervisor, "hello")
    assert progress[0] == DrainProgress(DrainState.DRAINING, 0, 0)
    assert progress[-1] == DrainProgress(DrainState.DRAINED, 0, 6)
    assert [data for data, _ in await ending] == [b"done\n", *[b""] * 5]
    assert refused(port)
    assert supervisor.closed(CloseReason.DRAIN) == 6
    assert supervisor.balance() == (6, 6, 0)
    counts = supervisor.status().listeners[0].counts
    assert counts.requests == 7
    cells = read_block(supervisor.counters, supervisor.layout.listeners["hello"])
    failed = cells[ACCEPT_FAILED : ACCEPT_FAILED + len(ACCEPT_ERRORS)]
    assert sum(failed) == 0, "the workers know that nobody is to be accepted"
    (other,) = await talking(supervisor, 1, "other")
    await other.close()
    status = supervisor.status()
    assert [each.drain for each in status.listeners] == [DrainState.DRAINED, None]
    assert (status.state, supervisor.health.reason_for("listener/hello")) == (State.SERVING, "draining")


async def test_resume_listens_again_at_the_same_ports(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), lines("other"), workers=2)
    ports = [supervisor.port(name) for name in ("hello", "other")]
    await drain(supervisor)
    assert supervisor.status().state is State.DRAINING
    assert [supervisor.health.statuses[name] for name in ("readiness", "listener/hello", "liveness")] == [
        False,
        False,
        True,
    ]
    assert await supervisor.operations.resume("other") == ["other"]
    assert [refused(port) for port in ports] == [True, False]
    assert await supervisor.operations.resume() == ["hello"]
    assert ports == [supervisor.port(name) for name in ("hello", "other")]
    for name in ("hello", "other"):
        (client,) = await talking(supervisor, 1, name)
        await client.close()
    assert (supervisor.status().state, supervisor.health.serving) == (State.SERVING, True)
    assert await supervisor.operations.resume() == []


async def test_resume_keeps_connections_that_the_drain_has_not_closed(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), workers=2)
    clients, began = await talking(supervisor, 6), monotonic()
    draining = asyncio.ensure_future(drain(supervisor, over=0.5))
    await until(lambda: supervisor._rollout.drained.shut("hello"))
    assert await supervisor.operations.resume() == ["hello"]
    assert (await draining)[-1].state is DrainState.RESUMED
    kept = len(clients) - supervisor.closed(CloseReason.DRAIN)
    if monotonic() - began < 0.08:  # the first of three of a worker ends at a third of the time
        assert kept == 6
    answers = [await client.ask() for client in clients]
    while monotonic() < began + 0.6:  # past the time in which all would have been closed
        answers = [await client.ask() for client in clients]
    assert answers.count(b"one") == kept
    assert kept >= 1 or monotonic() > began + 0.5
    for client in clients:
        await client.close()


async def test_drain_closes_connections_evenly_and_never_early(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    clients, began = await talking(supervisor, 8), monotonic()
    ending = asyncio.ensure_future(ends(clients))
    progress = await drain(supervisor, over=0.4)
    assert progress[-1] == DrainProgress(DrainState.DRAINED, 0, 8)
    moments = [moment - began for _, moment in await ending]
    for number, moment in enumerate(moments, 1):
        assert moment >= number / 8 * 0.4 - 0.001, "the oldest first, each at its share of the time"


async def test_stuck_connection_stays_open_until_a_second_drain_or_its_own_end(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    idle, stuck = await talking(supervisor, 2)
    assert await stuck.ask(b"stuck") == b"begun"
    progress = supervisor.operations.drain()
    seen = [await anext(progress)]
    assert (await idle.end())[0] == b""
    while seen[-1].closed < 1:
        seen.append(await anext(progress))
    assert seen[-1] == DrainProgress(DrainState.DRAINING, 1, 1)
    assert supervisor.status().listeners[0].drain is DrainState.DRAINING
    await stuck.close()
    await supervisor.stop(abort=True)
    assert supervisor.balance() == (2, 2, 0)


async def test_connection_open_after_drain_grace_is_reset_and_reported(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), lines("other"), workers=2)
    (other,) = await talking(supervisor, 1, "other")
    idle, stuck, slow = await talking(supervisor, 3)
    assert [await stuck.ask(b"stuck"), await slow.ask(b"slow")] == [b"begun", b"begun"]
    began = monotonic()
    ending = asyncio.ensure_future(ends([idle, slow]))
    progress = await drain(supervisor, "hello", over=0.2, grace=0.8)
    assert monotonic() - began >= 1.0
    assert progress[-1] == DrainProgress(DrainState.DRAINED, 0, 3, reset=1)
    assert [data for data, _ in await ending] == [b"", b"done\n"]
    with pytest.raises(RuntimeError, match="reset"):
        await stuck.end()
    assert supervisor.closed(CloseReason.ABORTED) == 1
    assert supervisor.balance() == (3, 3, 0)
    assert await other.ask() == b"one"
    await other.close()


async def test_drain_without_grace_period_resets_open_connections(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    (stuck,) = await talking(supervisor, 1)
    assert await stuck.ask(b"stuck") == b"begun"
    assert (await drain(supervisor, grace=0.0))[-1] == DrainProgress(DrainState.DRAINED, 0, 1, reset=1)
    await stuck.close()


async def test_drain_without_grace_uses_that_of_the_server(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), grace_seconds=0.3)
    (stuck,) = await talking(supervisor, 1)
    assert await stuck.ask(b"stuck") == b"begun"
    assert (await drain(supervisor))[-1].reset == 1
    await stuck.close()


async def test_drain_of_a_stopped_server_is_rejected_without_a_log_line(
    supervise: Supervise, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    supervisor = await supervise()
    await supervisor.stop()
    with pytest.raises(Stopping):
        async for _ in supervisor.operations.drain():
            pass
    assert not [line for line in caplog.messages if "drain" in line]


async def test_drain_closes_hanging_and_held_connections(supervise: Supervise) -> None:
    """`hang` is closed in order at once, with and without `ignore_fin`; nothing is reset."""
    hangs = lines().replace("  - do:", "  - {when: hang, do: [hang: {ignore_fin: true}]}\n  - do:", 1)
    supervisor = await supervise(hangs, "- {name: held, address: '127.0.0.1:0', accept: HOLD}")
    clients = await talking(supervisor, 2)
    held = await Client.connect(supervisor, "held")
    clients[0].say(b"hang")
    await until(lambda: supervisor.status().listeners[0].counts.requests == 3)
    await until(lambda: supervisor.status().listeners[1].counts.open == 1)
    ending = asyncio.ensure_future(ends([*clients, held]))
    progress = await drain(supervisor, grace=600.0)
    assert progress[-1] == DrainProgress(DrainState.DRAINED, 0, 3)
    assert [data for data, _ in await ending] == [b"", b"", b""]
    assert supervisor.closed(CloseReason.DRAIN) == 2
    assert supervisor.closed(CloseReason.DRAIN, "held") == 1


async def test_drain_delay_keeps_serving_before_connections_are_closed(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), drain_delay_seconds=0.3)
    began = monotonic()
    draining = asyncio.ensure_future(drain(supervisor))
    await until(lambda: not supervisor.health.serving)
    (client,) = await talking(supervisor, 1)
    assert supervisor.status().listeners[0].drain is DrainState.DRAINING
    _, ended = await client.end()
    assert ended - began >= 0.29
    assert (await draining)[-1].state is DrainState.DRAINED
    supervisor._drains._delay_seconds = 600.0  # a listener that is drained already is not announced again
    async with asyncio.timeout(20):
        assert [each.state for each in await drain(supervisor)] == [DrainState.DRAINING, DrainState.DRAINED]


async def test_update_leaves_a_drained_listener_shut_and_its_accept_unset(supervise: Supervise) -> None:
    supervisor = await supervise(lines())
    await drain(supervisor, "hello")
    await supervisor.update(config(lines(answer="two"), lines("other")))
    assert [refused(supervisor.port(name)) for name in ("hello", "other")] == [True, False]
    assert supervisor.current.config.listeners[0].accept == v1.ACCEPT_UNSPECIFIED
    await supervisor.update(config(lines("renamed"), lines("other")))
    assert not refused(supervisor.port("renamed"))
    await supervisor.update(config(lines(), lines("other")))
    assert not refused(supervisor.port()), "a drain belongs to a name, and ends with it"


async def test_restarted_worker_of_a_drained_listener_does_not_listen(supervise: Supervise) -> None:
    supervisor = await supervise(lines(), workers=2)
    await drain(supervisor)
    await supervisor.until_replaced(0, supervisor.kill(0))
    assert refused(supervisor.port())
    await supervisor.operations.resume()
    ids = set()
    for _ in range(24):
        client = await Client.connect(supervisor)
        ids.add(await client.ask(b"id"))
        await client.close()
    assert len(ids) == 24, "no two connections have the same id, on whichever worker"
    assert len({each.partition(b"-")[0] for each in ids}) == 2, "both workers accept again"


async def test_connections_accepted_during_a_drain_are_closed_too(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has not heard the order (a successor, whose queue was not empty) gets it again."""
    monkeypatch.setattr(draining, "REPEAT_SECONDS", 0.1)
    supervisor = await supervise(lines())
    (client,) = await talking(supervisor, 1)
    told: list[object] = []
    (worker,) = supervisor._pool.workers
    tell = worker.tell

    def deaf_once(order: object, *rest: object) -> None:
        told.append(order)
        if sum(each.HasField("close_connections") for each in told) > 1:  # type: ignore[attr-defined]
            tell(order, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "tell", deaf_once)
    ending = asyncio.ensure_future(client.end())
    assert (await drain(supervisor))[-1].state is DrainState.DRAINED
    assert (await ending)[0] == b""
