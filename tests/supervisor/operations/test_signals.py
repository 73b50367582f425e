"""Signals between connections of all workers: who gets which, what is kept, and what is given back."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from time import monotonic
from typing import Any, cast

import pytest

from answerback.document.document import load
from answerback.internal.v1.link_pb2 import Command, SignalAct, SignalNews, SignalWait
from answerback.supervisor import MAX_KEPT, NoSuchSignal
from answerback.supervisor.operations import signals as implementation
from answerback.supervisor.operations.signals import Signals
from answerback.supervisor.status import SignalStatus
from answerback.supervisor.workers.pool import WorkerPool
from tests.supervisor.conftest import Supervise
from tests.supervisor.supervising import Supervised, config, until

GATE = r"""
- name: hello
  address: 127.0.0.1:0
  framing: line
  rules:
  - {when: wait, do: [send: "waiting\n", wait: {signal: go, timeout: 60s}, send: "gone\n"]}
  - {when: go, do: [signal: go, send: "ok\n"]}
  - {when: many, do: [signal: go, signal: go, signal: go, send: "ok\n"]}
"""
NO_GATE = """
- {name: hello, address: '127.0.0.1:0', rules: [{do: [echo]}]}
"""


class Client:
    """A client that says lines and hears lines."""

    def __init__(self, supervisor: Supervised) -> None:
        self.sock = socket.create_connection(("127.0.0.1", supervisor.port()), timeout=20)
        self._heard = self.sock.makefile("rb")

    def say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\n")

    async def hear(self) -> str:
        return (await asyncio.to_thread(self._heard.readline)).decode().rstrip()

    async def ask(self, text: str) -> str:
        self.say(text)
        return await self.hear()

    def close(self) -> None:
        self._heard.close()
        self.sock.close()


class Clients(ExitStack):
    """Clients that are closed at the end."""

    def new(self, supervisor: Supervised) -> Client:
        client = Client(supervisor)
        self.callback(client.close)
        return client

    async def waiting(self, supervisor: Supervised, number: int) -> list[Client]:
        """Clients that wait, in the order in which they began to."""
        clients: list[Client] = []
        for count in range(1, number + 1):
            clients.append(self.new(supervisor))
            assert await clients[-1].ask("wait") == "waiting"
            await until(lambda count=count: found(supervisor) == (count, 0))  # type: ignore[misc]  # no type for it
        return clients


@pytest.fixture
def clients() -> Iterator[Clients]:
    with Clients() as clients:
        yield clients


def found(supervisor: Supervised) -> tuple[int, int]:
    """How many wait for `go`, and how many of it are kept."""
    for each in supervisor.status().signals:
        if each.name == "go":
            return each.waiting, each.kept
    return 0, 0


async def test_signal_wakes_the_longest_waiting_connection_of_all_workers(
    supervise: Supervise, clients: Clients
) -> None:
    supervisor = await supervise(GATE, workers=2)
    first, second, third = await clients.waiting(supervisor, 3)
    assert await supervisor.operations.signal("go", 2) == (2, 0)
    assert (await first.hear(), await second.hear()) == ("gone", "gone")
    assert found(supervisor) == (1, 0)
    assert await clients.new(supervisor).ask("go") == "ok"
    assert await third.hear() == "gone"
    assert found(supervisor) == (0, 0)


async def test_early_signals_are_kept_up_to_a_bound_and_end_with_a_reset(
    supervise: Supervise, clients: Clients
) -> None:
    supervisor = await supervise(GATE)
    assert await supervisor.operations.signal("go", 5) == (0, 5)
    client = clients.new(supervisor)
    assert (await client.ask("wait"), await client.hear()) == ("waiting", "gone")
    assert found(supervisor) == (0, 4)
    assert await client.ask("many") == "ok"
    await until(lambda: found(supervisor) == (0, 7))
    assert await supervisor.operations.signal("go", MAX_KEPT) == (0, MAX_KEPT)
    await supervisor.update(config(GATE.replace("60s", "50s")))
    assert supervisor.status().signals == [SignalStatus("go", 0, MAX_KEPT)], "it survives a change"
    await supervisor.operations.reset_counters("hello")
    assert found(supervisor) == (0, MAX_KEPT), "it is no listener's"
    await supervisor.operations.reset_counters()
    assert supervisor.status().signals == []


async def test_signal_of_a_connection_that_has_left_goes_to_the_next(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(GATE)
    first, second = await clients.waiting(supervisor, 2)
    first.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    first.close()
    await until(lambda: found(supervisor) == (1, 0))
    assert await supervisor.operations.signal("go", 1) == (1, 0)
    assert await second.hear() == "gone"


async def test_signal_granted_on_a_worker_that_dies_goes_to_the_next(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(GATE)
    (pid,) = supervisor.pids()
    await clients.waiting(supervisor, 1)
    os.kill(pid, signal.SIGSTOP)
    giving = asyncio.create_task(supervisor.operations.signal("go", 1))
    await until(lambda: found(supervisor) == (0, 0))
    assert not giving.done(), "the worker has not confirmed it"
    os.kill(pid, signal.SIGKILL)
    assert await giving == (0, 1)
    assert found(supervisor) == (0, 1)
    await until(lambda: supervisor.pids() not in ([], [pid]))
    client = clients.new(supervisor)
    assert (await client.ask("wait"), await client.hear()) == ("waiting", "gone")


def past(moment: float) -> Callable[[], bool]:
    return lambda: monotonic() > moment


async def test_signal_counts_as_given_or_as_kept_where_the_wait_times_out_meanwhile(
    supervise: Supervise, clients: Clients
) -> None:
    supervisor = await supervise(GATE.replace("60s", "200ms"))
    (pid,) = supervisor.pids()
    for _ in range(5):
        (client,) = await clients.waiting(supervisor, 1)
        timed_out = past(monotonic() + 0.2)
        os.kill(pid, signal.SIGSTOP)
        giving = asyncio.create_task(supervisor.operations.signal("go", 1))
        await until(timed_out)  # the wait, which does not know it
        os.kill(pid, signal.SIGCONT)
        woken, kept = await giving
        assert await client.hear() == "gone"
        assert (woken + kept, found(supervisor)) == (1, (0, kept))
        await supervisor.operations.reset_counters()


class FakeProcess:
    """A worker that records grants, and answers nothing by itself."""

    def __init__(self) -> None:
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.grants: list[int] = []

    def tell(self, command: Command) -> None:
        self.grants += command.grant_signals.waits


class Meeting:
    """Signals, and the news that a worker sends."""

    on_signal_news: Callable[[Any, SignalNews], None]

    def __init__(self) -> None:
        listeners = load(f"listeners:{GATE}").config
        self.signals = Signals(cast(WorkerPool, self), lambda: listeners)
        self.worker = FakeProcess()

    def news(self, *acts: SignalAct) -> None:
        self.on_signal_news(self.worker, SignalNews(acts=acts))

    def wait(self, *numbers: int) -> None:
        self.news(*(SignalAct(wait=SignalWait(wait=number, signal="go")) for number in numbers))

    async def give(self, count: int) -> asyncio.Task[tuple[int, int]]:
        task = asyncio.create_task(self.signals.give("go", count))
        await asyncio.sleep(0)
        return task


async def test_signal_that_comes_back_is_given_to_the_next_wait_within_the_same_call() -> None:
    meeting = Meeting()
    meeting.wait(1, 2, 3)
    giving = await meeting.give(2)
    assert meeting.worker.grants == [1, 2]
    meeting.news(SignalAct(taken=2), SignalAct(returned=1))
    await asyncio.sleep(0)
    assert (meeting.worker.grants, giving.done()) == ([1, 2, 3], False)
    meeting.news(SignalAct(returned=3))
    assert await giving == (1, 1)
    assert meeting.signals.status() == [SignalStatus("go", 0, 1)]


async def test_signal_that_comes_back_after_a_reset_is_not_kept() -> None:
    meeting = Meeting()
    meeting.wait(1)
    giving = await meeting.give(1)
    meeting.signals.clear()
    meeting.news(SignalAct(returned=1))
    assert await giving == (0, 0)
    assert meeting.signals.status() == []


async def test_call_that_is_cancelled_gives_its_signals_all_the_same() -> None:
    meeting = Meeting()
    meeting.wait(1)
    giving = await meeting.give(1)
    giving.cancel()
    with suppress(asyncio.CancelledError):
        await giving
    meeting.news(SignalAct(returned=1))
    assert meeting.signals.status() == [SignalStatus("go", 0, 1)]


async def test_signals_of_a_worker_that_exits_are_for_others_before_the_call_returns() -> None:
    meeting = Meeting()
    meeting.wait(1)
    giving = await meeting.give(1)
    meeting.worker.exited.set_result(-9)
    assert await giving == (0, 1)


async def test_signal_that_the_configuration_does_not_name_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(GATE)
    with pytest.raises(NoSuchSignal, match="no step `wait` or `signal` of the active configuration names 'gone'"):
        await supervisor.operations.signal("gone", 1)
    await supervisor.update(config(NO_GATE))
    with pytest.raises(NoSuchSignal):
        await supervisor.operations.signal("go", 1)


async def test_names_that_no_configuration_has_any_more_are_dropped_when_there_are_many(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(implementation, "MAX_NAMES", 1)
    supervisor = await supervise(GATE)
    await supervisor.operations.signal("go", 1)
    await supervisor.update(config(GATE.replace("go", "come")))
    assert [each.name for each in supervisor.status().signals] == ["go"]
    await supervisor.operations.signal("come", 1)
    assert [each.name for each in supervisor.status().signals] == ["come"]
