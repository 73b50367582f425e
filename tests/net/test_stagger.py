"""Actions on connections spread over a time, with a clock that the test moves."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from answerback.net import stagger
from answerback.net.stagger import BATCH_GAP_SECONDS, Staggered


class Clock:
    """Time, and the timers that wait for it: as much of a loop as is needed."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.set = 0

    def __call__(self) -> float:
        return self.now

    def call_later(self, delay: float, turn: Callable[[], None]) -> Any:
        timer = (self.now + delay, turn)
        self.timers.append(timer)
        self.set += 1
        return type("Timer", (), {"cancel": lambda _: self.timers.remove(timer)})()

    def go_on(self, until: float) -> None:
        while self.timers and self.timers[0][0] <= until:
            self.now, turn = self.timers.pop(0)
            turn()
        self.now = until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stagger, "monotonic", clock)
    return clock


@pytest.fixture
def done() -> list[tuple[float, int]]:
    return []


def begin(clock: Clock, done: list[tuple[float, int]], count: int, over: float) -> Staggered:
    connections = cast(Any, range(count))
    return Staggered(cast(Any, clock), connections, lambda one: done.append((clock.now - 100, cast(int, one))), over)


def test_stagger_without_a_time_does_all_at_once(clock: Clock, done: list[tuple[float, int]]) -> None:
    begin(clock, done, 3, 0.0)
    assert done == [(0, 0), (0, 1), (0, 2)]
    assert not clock.timers


def test_staggered_actions_are_evenly_spaced_and_end_with_the_duration(
    clock: Clock, done: list[tuple[float, int]]
) -> None:
    begin(clock, done, 4, 8.0)
    assert not done
    clock.go_on(107.9)
    assert [one for _, one in done] == [0, 1, 2]
    clock.go_on(109)
    assert done == [pytest.approx((2 * number, number - 1)) for number in range(1, 5)]
    assert not clock.timers
    assert clock.set == 4, "it wakes when the next one is due, and at no other time"


def test_many_staggered_actions_in_a_short_time_are_grouped(clock: Clock, done: list[tuple[float, int]]) -> None:
    begin(clock, done, 10_000, 1.0)
    clock.go_on(102)
    times = sorted({when for when, _ in done})
    assert [one for _, one in done] == list(range(10_000))
    assert len(times) <= 1 / BATCH_GAP_SECONDS + 2
    for when in times:
        assert sum(other <= when for other, _ in done) <= 10_000 * when + 1


def test_stagger_catches_up_after_a_delayed_loop(clock: Clock, done: list[tuple[float, int]]) -> None:
    begin(clock, done, 4, 8.0)
    ((_, turn),) = clock.timers
    clock.timers.clear()
    clock.now = 105.0
    turn()
    assert len(done) == 2


def test_cancelled_stagger_leaves_the_rest_alone(clock: Clock, done: list[tuple[float, int]]) -> None:
    begun = begin(clock, done, 4, 8.0)
    clock.go_on(103)
    begun.cancel()
    clock.go_on(120)
    assert len(done) == 1
    begun.cancel()


def test_stagger_over_no_connections_sets_no_timer(clock: Clock, done: list[tuple[float, int]]) -> None:
    begin(clock, done, 0, 8.0)
    assert not clock.timers
