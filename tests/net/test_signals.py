"""What a worker tells the supervisor of its scripts' signals, and what it does with those that are granted."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from answerback.net.signals import Act, GaveUp, Given, Returned, Signals, Taken, Waits
from tests.supervisor.supervising import until


class Waiting:
    """A connection whose script waits."""

    def __init__(self, *, waits: bool = True) -> None:
        self.session = self
        self.waits = waits
        self.woken = 0

    def signal_granted(self) -> bool:
        return self.waits

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
async def told() -> list[Sequence[Act]]:
    return []


@pytest.fixture
async def signals(told: list[Sequence[Act]]) -> Signals:
    return Signals(asyncio.get_running_loop(), told.append)


def waiting(signals: Signals, name: str = "go", *, waits: bool = True) -> tuple[Any, int]:
    connection: Any = Waiting(waits=waits)
    return connection, signals.wait(name, connection)


async def all_told(told: list[Sequence[Act]], number: int = 1) -> list[Sequence[Act]]:
    await until(lambda: len(told) == number)
    return told


async def test_acts_of_a_moment_are_one_message_in_their_order(signals: Signals, told: list[Sequence[Act]]) -> None:
    signals.give("go")
    signals.give("go")
    _, first = waiting(signals)
    signals.give("go")
    signals.give("other")
    assert not told
    assert await all_told(told) == [[Given("go", 2), Waits(first, "go"), Given("go", 1), Given("other", 1)]]
    signals.give("go")
    assert (await all_told(told, 2))[1] == [Given("go", 1)]


async def test_flush_reports_acts_at_once_and_only_once(signals: Signals, told: list[Sequence[Act]]) -> None:
    signals.give("go")
    signals.flush()
    signals.flush()
    assert told == [[Given("go", 1)]]
    signals.give("other")
    assert await all_told(told, 2) == [[Given("go", 1)], [Given("other", 1)]]


async def test_granted_signal_wakes_its_connection_once(signals: Signals, told: list[Sequence[Act]]) -> None:
    one, first = waiting(signals)
    other, second = waiting(signals)
    signals.granted([second])
    signals.granted([second])
    assert (one.woken, other.woken) == (0, 1)
    (acts,) = await all_told(told)
    assert acts == [Waits(first, "go"), Waits(second, "go"), Taken(second), Returned(second)]


async def test_signal_of_a_wait_that_is_over_is_returned(signals: Signals, told: list[Sequence[Act]]) -> None:
    left, first = waiting(signals)
    over, second = waiting(signals, waits=False)
    signals.give_up(first)
    signals.give_up(first)
    signals.granted([first, second])
    assert (left.woken, over.woken) == (0, 0)
    (acts,) = await all_told(told)
    assert acts[2:] == [GaveUp(first), Returned(first), Returned(second)]
