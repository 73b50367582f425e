"""Signals between connections of all workers: who gets which, what is kept, and what is given back."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from answerback.supervisor import MAX_KEPT, NoSuchSignal
from answerback.supervisor.operations import signals as implementation
from answerback.supervisor.status import SignalStatus
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
    assert supervisor.operations.signal("go", 2) == (2, 0)
    assert (await first.hear(), await second.hear()) == ("gone", "gone")
    assert found(supervisor) == (1, 0)
    assert await clients.new(supervisor).ask("go") == "ok"
    assert await third.hear() == "gone"
    assert found(supervisor) == (0, 0)


async def test_early_signals_are_kept_up_to_a_bound_and_end_with_a_reset(
    supervise: Supervise, clients: Clients
) -> None:
    supervisor = await supervise(GATE)
    assert supervisor.operations.signal("go", 5) == (0, 5)
    client = clients.new(supervisor)
    assert (await client.ask("wait"), await client.hear()) == ("waiting", "gone")
    assert found(supervisor) == (0, 4)
    assert await client.ask("many") == "ok"
    await until(lambda: found(supervisor) == (0, 7))
    assert supervisor.operations.signal("go", MAX_KEPT) == (0, MAX_KEPT)
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
    assert supervisor.operations.signal("go", 1) == (1, 0)
    assert await second.hear() == "gone"


async def test_signal_granted_on_a_worker_that_dies_goes_to_the_next(supervise: Supervise, clients: Clients) -> None:
    supervisor = await supervise(GATE)
    (pid,) = supervisor.pids()
    await clients.waiting(supervisor, 1)
    os.kill(pid, signal.SIGSTOP)
    assert supervisor.operations.signal("go", 1) == (1, 0)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: found(supervisor) == (0, 1))
    await until(lambda: supervisor.pids() not in ([], [pid]))
    client = clients.new(supervisor)
    assert (await client.ask("wait"), await client.hear()) == ("waiting", "gone")


async def test_signal_that_the_configuration_does_not_name_is_rejected(supervise: Supervise) -> None:
    supervisor = await supervise(GATE)
    with pytest.raises(NoSuchSignal, match="no step `wait` or `signal` of the active configuration names 'gone'"):
        supervisor.operations.signal("gone", 1)
    await supervisor.update(config(NO_GATE))
    with pytest.raises(NoSuchSignal):
        supervisor.operations.signal("go", 1)


async def test_names_that_no_configuration_has_any_more_are_dropped_when_there_are_many(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(implementation, "MAX_NAMES", 1)
    supervisor = await supervise(GATE)
    supervisor.operations.signal("go", 1)
    await supervisor.update(config(GATE.replace("go", "come")))
    assert [each.name for each in supervisor.status().signals] == ["go"]
    supervisor.operations.signal("come", 1)
    assert [each.name for each in supervisor.status().signals] == ["come"]
