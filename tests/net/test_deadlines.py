"""Deadlines, near and far, on a loop whose clock the test turns."""

import asyncio
from collections.abc import Iterator
from math import inf

import pytest

from answerback.net import deadlines
from answerback.net.deadlines import Deadlines


class TurnedLoop(asyncio.SelectorEventLoop):
    """An event loop that sleeps in no time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.25

    def time(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        """Let so many seconds pass, in steps of a millisecond: no timer comes later than that."""
        for _ in range(round(seconds * 1000)):
            self.now += 0.001
            self.call_soon(self.stop)
            self.run_forever()


class Sleeper:
    """Notes when it is woken, and goes back to sleep until its own deadline, as connections do."""

    def __init__(self, loop: TurnedLoop, deadlines: Deadlines, deadline: float) -> None:
        self.loop, self.deadlines, self.deadline = loop, deadlines, deadline
        self.alarm: asyncio.TimerHandle | int | None = None
        self.due = inf
        self.woken: list[float] = []
        deadlines.set(self, deadline)

    def wake(self) -> None:
        self.woken.append(self.loop.now)
        if self.loop.now < self.deadline:
            self.deadlines.set(self, self.deadline)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[TurnedLoop]:
    loop = TurnedLoop()
    monkeypatch.setattr(deadlines, "monotonic", loop.time)
    yield loop
    loop.close()


@pytest.mark.parametrize("wait", [0.0, 0.3, 1.9, 2.1, 7.5])
def test_one_is_woken_at_its_deadline(loop: TurnedLoop, wait: float) -> None:
    sleeper = Sleeper(loop, Deadlines(loop), loop.now + wait)
    loop.turn(wait + 0.1)
    assert sleeper.woken
    assert sleeper.deadline <= sleeper.woken[-1] <= sleeper.deadline + 0.01
    assert len(sleeper.woken) <= 2


def test_a_deadline_that_moved_away_costs_one_look(loop: TurnedLoop) -> None:
    sleeper = Sleeper(loop, Deadlines(loop), loop.now + 5)
    sleeper.deadline += 5
    loop.turn(6)
    assert len(sleeper.woken) == 1
    loop.turn(4.1)
    assert sleeper.woken[-1] == pytest.approx(1010.25, abs=0.01)


@pytest.mark.parametrize("wait", [1, 5])
def test_one_that_is_cleared_sleeps_on(loop: TurnedLoop, wait: float) -> None:
    wheel = Deadlines(loop)
    sleeper = Sleeper(loop, wheel, loop.now + wait)
    wheel.clear(sleeper)
    loop.turn(wait + 1.1)
    assert sleeper.woken == []
    assert sleeper.alarm is None


def test_never_is_never(loop: TurnedLoop) -> None:
    sleeper = Sleeper(loop, Deadlines(loop), inf)
    loop.turn(3)
    assert sleeper.woken == []


def test_one_cleared_while_its_second_is_being_woken_sleeps_on(loop: TurnedLoop) -> None:
    wheel = Deadlines(loop)
    pair = [Sleeper(loop, wheel, loop.now + 3) for _ in range(2)]

    def clear_the_other() -> None:
        for sleeper in pair:
            wheel.clear(sleeper)
        cleared.append(True)

    cleared: list[bool] = []
    for sleeper in pair:
        sleeper.wake = clear_the_other  # type: ignore[method-assign]
    loop.turn(4)
    assert cleared == [True]
