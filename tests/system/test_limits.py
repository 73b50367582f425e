"""Limits are exact over all workers, and each rejection is counted by its limit."""

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics, serving, settled, worker_pids
from tests.system.talking import Account, Talk
from tests.waiting import eventually

pytestmark = pytest.mark.long

MOST, MOST_OF_PEER = 10, 3
PEERS = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
LIMITS = {
    "few": f"{{max_connections: {MOST}}}",
    "each": f"{{max_connections_per_peer: {MOST_OF_PEER}}}",
    "both": f"{{max_connections: {MOST}, max_connections_per_peer: {MOST_OF_PEER}}}",
    "idle": "{idle_timeout: 200ms}",
    "heard": "{request_timeout: 200ms}",
    "written": "{write_timeout: 200ms}",
    "lived": "{lifetime: 200ms}",
    "long": "{max_request_bytes: 100}",
}


ENGINES = ["callback", "coroutine"]
CONFIG = "listeners:" + "".join(
    f"""
  - name: {name}-{engine}
    address: 127.0.0.1:0
    engine: {engine}
    framing: line
    limits: {limits}
    rules: [{{when: PING, do: [send: PONG]}}, {{do: [echo]}}]
"""
    for name, limits in LIMITS.items()
    for engine in ENGINES
)
each_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(tmp_path_factory.mktemp("limits"), CONFIG, "--workers", "2") as running:
        yield running


class Crowd:
    """Clients of one listener, and those of them who are in."""

    def __init__(self, running: RunningServer, listener: str, stack: AsyncExitStack) -> None:
        self.running, self.listener, self._stack = running, listener, stack
        self.inside: list[tuple[str, Talk]] = []

    async def enter(self, sources: Iterable[str]) -> int:
        """Have one client come from each address, all at once; how many were let in."""
        before = len(self.inside)
        await asyncio.gather(*(self._try(source) for source in sources))
        return len(self.inside) - before

    async def leave(self, count: int) -> None:
        """Close this number of connections, and wait until they are counted."""
        for _, talk in self.inside[:count]:
            talk.reset()
        del self.inside[:count]
        await self.known()

    async def known(self) -> Metrics:
        """The metrics, once they show as open who is inside."""
        return await asyncio.to_thread(settled, self.running.metrics, self.listener, open_=len(self.inside))

    async def _try(self, source: str) -> None:
        try:
            talk = Talk(self.running.where(self.listener), Account(), source=source)
            await self._stack.enter_async_context(talk)
            await talk.say(b"PING\n")
            await talk.hear(b"PONG")
        except (AssertionError, ConnectionError):
            return
        self.inside.append((source, talk))


@each_engine
async def test_max_connections_is_exact_over_two_workers(running: RunningServer, engine: str) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(running, f"few-{engine}", stack)
        assert await crowd.enter(PEERS * 10) == MOST
        assert await crowd.enter(PEERS) == 0
        await crowd.leave(4)
        assert await crowd.enter(PEERS * 5) == 4
        metrics = await crowd.known()
    assert metrics.value("connections_accepted_total", listener=crowd.listener) == MOST + 4
    assert metrics.value("connections_rejected_total", listener=crowd.listener, reason="max_connections") == 30 + 4 + 16
    assert metrics.value("connections_rejected_total", listener=crowd.listener, reason="max_connections_per_peer") == 0
    assert metrics.balanced(crowd.listener)


@each_engine
async def test_max_connections_per_peer_is_exact_over_two_workers(running: RunningServer, engine: str) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(running, f"each-{engine}", stack)
        assert await crowd.enter(PEERS * 10) == MOST_OF_PEER * len(PEERS)
        assert sorted(source for source, _ in crowd.inside) == sorted(PEERS * MOST_OF_PEER)
        gone = [source for source, _ in crowd.inside[:5]]
        await crowd.leave(5)
        assert await crowd.enter(PEERS * 10) == 5
        assert sorted(source for source, _ in crowd.inside[-5:]) == sorted(gone)
        metrics = await crowd.known()
    rejected = 2 * 10 * len(PEERS) - MOST_OF_PEER * len(PEERS) - 5
    assert (
        metrics.value("connections_rejected_total", listener=crowd.listener, reason="max_connections_per_peer")
        == rejected
    )
    assert metrics.balanced(crowd.listener)


@each_engine
async def test_limits_per_listener_and_per_peer_hold_together(running: RunningServer, engine: str) -> None:
    async with AsyncExitStack() as stack:
        crowd = Crowd(running, f"both-{engine}", stack)
        assert await crowd.enter(PEERS[:1] * 10) == MOST_OF_PEER
        assert await crowd.enter(PEERS * 10) == MOST - MOST_OF_PEER


async def test_connection_limits_are_freed_when_workers_are_killed(start_server: Start) -> None:
    listener = "both-callback"
    async with AsyncExitStack() as stack:
        crowd = Crowd(start_server(CONFIG, "--workers", "2"), listener, stack)
        assert await crowd.enter(PEERS * 10) == MOST
        for pid in worker_pids(crowd.running):
            os.kill(pid, signal.SIGKILL)
        crowd.inside.clear()
        metrics = await crowd.known()
        assert metrics.value("connections_closed_total", listener=listener, reason="worker_crashed") == MOST
        assert metrics.balanced(listener)
        assert await crowd.enter(PEERS * 10) == MOST


async def test_raised_connection_limit_admits_new_clients(start_server: Start) -> None:
    """And one that comes later counts who is there already."""
    async with AsyncExitStack() as stack:
        running = start_server(CONFIG, "--workers", "2")
        crowd = Crowd(running, "few-callback", stack)
        assert await crowd.enter(PEERS * 10) == MOST
        wider = CONFIG.replace(f"{{max_connections: {MOST}}}", f"{{max_connections: {MOST + 5}}}")
        applied = running.cli("apply", "-", stdin=wider)
        assert applied.returncode == 0, applied.stderr
        assert await crowd.enter(PEERS * 10) == 5
        applied = running.cli("apply", "-", stdin=CONFIG)
        assert applied.returncode == 0, applied.stderr
        await crowd.leave(3)
        assert await crowd.enter(PEERS * 10) == 0
        await crowd.leave(3)
        assert await crowd.enter(PEERS * 10) == 1


def closed(running: RunningServer, listener: str, reason: str) -> float:
    return Metrics.scrape(running.metrics).value("connections_closed_total", listener=listener, reason=reason)


async def ended(running: RunningServer, listener: str, reason: str, before: float) -> None:
    """One more connection is closed for a reason, and all are for the same."""
    await asyncio.to_thread(
        eventually, lambda: closed(running, listener, reason) == before + 1, 30.0, f"a connection closed for {reason}"
    )
    metrics = Metrics.scrape(running.metrics)
    assert metrics.total("connections_closed_total", listener=listener) == before + 1
    assert metrics.balanced(listener)


@each_engine
@pytest.mark.parametrize(
    "limit, said, answer, reason",
    [
        ("idle", b"", b"", "idle_timeout"),
        ("idle", b"PING\n", b"PONG", "idle_timeout"),
        ("heard", b"PING\nPIN", b"PONG", "request_timeout"),
        ("lived", b"PING\n", b"PONG", "max_lifetime"),
        ("lived", b"", b"", "max_lifetime"),
        ("long", b"PING\n" + b"x" * 101, b"PONG", "request_too_large"),
        ("long", b"PING\n" + b"x" * 101 + b"\n", b"PONG", "request_too_large"),
    ],
)
async def test_connection_past_a_limit_is_closed_in_order(
    running: RunningServer, engine: str, limit: str, said: bytes, answer: bytes, reason: str
) -> None:
    listener = f"{limit}-{engine}"
    before = closed(running, listener, reason)
    async with Talk(running.where(listener), Account()) as talk:
        await talk.say(said)
        assert await talk.rest() == answer
    await ended(running, listener, reason, before)


@each_engine
async def test_client_that_does_not_read_is_reset_at_write_timeout(running: RunningServer, engine: str) -> None:
    listener = f"written-{engine}"
    before = closed(running, listener, "write_timeout")
    async with Talk(running.where(listener), Account(), receive_buffer=4096) as talk:
        with pytest.raises(ConnectionError):
            await talk.say((b"x" * 100_000 + b"\n") * 1000)
    await ended(running, listener, "write_timeout", before)
