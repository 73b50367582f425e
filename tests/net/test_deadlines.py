"""Deadlines on a loop and a clock that the test moves, without waiting for real time."""

import heapq
import sys
from collections.abc import Callable
from itertools import count
from math import inf
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.net.deadlines import SLICE_SECONDS, Deadlines

LATE = 0.020  # what is promised of an idle machine
LIBUV_EARLY = 0.001  # its timers count whole milliseconds
LIBUV_LATE = 0.002

waits = st.one_of(
    st.floats(0, 0.01), st.floats(0, 4), st.sampled_from([0.0, 1.0, 2.0, 3.0, 59.999]), st.floats(0, 100), st.just(1e5)
)


class Handle:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class Loop:
    """As much of an event loop as deadlines need: its timers come as early and as late as those of libuv."""

    def __init__(self, now: float = 1000.25) -> None:
        self.now = now
        self.iterations = 0  # of the loop, in which sockets are polled
        self._timers: list[tuple[float, int, Handle]] = []
        self._number = count()
        self.made = 0  # timers, ever

    def __call__(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Handle:
        self.made += 1
        number = next(self._number)
        error = (-LIBUV_EARLY, LIBUV_LATE, 0.0)[number % 3]
        handle = Handle(call)
        heapq.heappush(self._timers, (self.now + max(delay + error, 0.0), number, handle))
        return handle

    def call_soon(self, call: Callable[[], None]) -> Handle:
        self.made += 1
        handle = Handle(call)
        heapq.heappush(self._timers, (self.now, next(self._number), handle))
        return handle

    def go_on(self, until: float) -> None:
        """Let time pass."""
        while self._timers and self._timers[0][0] <= until:
            at, _, handle = heapq.heappop(self._timers)
            self.now = max(self.now, at)
            self.run(handle)
        self.now = max(self.now, until)

    def run(self, handle: Handle) -> None:
        if handle.call is not None:
            self.iterations += 1
            handle.call()

    @property
    def timers(self) -> int:
        """How many timers are set."""
        return sum(handle.call is not None for _, _, handle in self._timers)


class Sleeper:
    """Is woken at `deadline`, not before and not much later, or fails."""

    def __init__(self, loop: Loop, deadlines: Deadlines) -> None:
        self.loop, self.deadlines = loop, deadlines
        self.timer_key: int | None = None
        self.timer_at = inf
        self.deadline = inf
        self.not_before = inf  # nothing can be woken before it was set
        self.woken = 0

    def set(self, deadline: float) -> None:
        self.deadline, self.not_before = deadline, max(deadline, self.loop.now)
        self.deadlines.set(self, deadline)

    def set_in(self, seconds: float) -> "Sleeper":
        self.set(self.loop.now + seconds)
        return self

    def clear(self) -> None:
        self.deadline = self.not_before = inf
        self.deadlines.clear(self)

    def wake(self) -> None:
        assert self.not_before <= self.loop.now <= self.not_before + LATE
        assert (self.timer_key, self.timer_at) == (None, inf)
        self.deadline = self.not_before = inf
        self.woken += 1


def deadlines_on(loop: Loop) -> Deadlines:
    return Deadlines(cast(Any, loop), loop)


def size_of(deadlines: Deadlines) -> int:
    """The bytes of the structure, without those of the connections."""
    near, far = deadlines._near, deadlines._far
    return sum(map(sys.getsizeof, (near, far, deadlines._ticks, *near.values(), *far.values())))


def is_empty(deadlines: Deadlines) -> bool:
    return not (len(deadlines) or deadlines._near or deadlines._far or deadlines._ticks)


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def deadlines(loop: Loop) -> Deadlines:
    return deadlines_on(loop)


@given(st.lists(st.tuples(st.integers(0, 19), waits, st.sampled_from([0.0, 0.0, 0.001, 0.7, 2.5, 31.0]))), waits)
def test_deadline_wakes_once_when_due_and_never_if_cleared(acts: list[tuple[int, float, float]], start: float) -> None:
    """`acts`: a sleeper is set, or cleared if it was set; then time passes."""
    loop = Loop(1000 + start)
    deadlines = deadlines_on(loop)
    sleepers = [Sleeper(loop, deadlines) for _ in range(20)]
    expected = 0
    for number, wait, pause in acts:
        sleeper = sleepers[number]
        if sleeper.deadline != inf and number % 2:
            sleeper.clear()
            expected -= 1
        else:
            expected += sleeper.deadline == inf
            sleeper.set_in(wait)
        assert len(deadlines) == sum(each.deadline < inf for each in sleepers)
        loop.go_on(loop.now + pause)
        assert all(each.deadline == inf or loop.now <= each.not_before + LATE for each in sleepers)
    loop.go_on(loop.now + 1e5 + 5)
    assert sum(sleeper.woken for sleeper in sleepers) == expected
    assert is_empty(deadlines)
    assert loop.timers == 0


@pytest.mark.parametrize("wait", [0.0, 0.3, 1.0, 1.9, 2.0, 2.1, 2.75, 3.0, 7.5, 86400.0])
def test_deadline_of_any_length_is_exact(loop: Loop, deadlines: Deadlines, wait: float) -> None:
    sleeper = Sleeper(loop, deadlines).set_in(wait)
    loop.go_on(loop.now + wait + LATE)
    assert sleeper.woken == 1


def test_deadline_in_the_past_fires_in_the_next_iteration(loop: Loop, deadlines: Deadlines) -> None:
    sleeper = Sleeper(loop, deadlines).set_in(-5)
    woken = [sleeper.woken]
    loop.go_on(loop.now)
    assert [*woken, sleeper.woken] == [0, 1]


def test_earlier_deadline_set_later_fires_first(loop: Loop, deadlines: Deadlines) -> None:
    far, near = Sleeper(loop, deadlines).set_in(1.5), Sleeper(loop, deadlines).set_in(0.5)
    loop.go_on(loop.now + 0.6)
    assert (far.woken, near.woken) == (0, 1)
    loop.go_on(loop.now + 1)
    assert far.woken == 1


def test_infinite_deadline_replaces_the_former_and_never_wakes(loop: Loop, deadlines: Deadlines) -> None:
    sleeper = Sleeper(loop, deadlines).set_in(3)
    sleeper.set(inf)
    loop.go_on(loop.now + 10)
    assert not sleeper.woken
    assert is_empty(deadlines)


def test_deadline_cleared_twice_is_cleared_once(deadlines: Deadlines, loop: Loop) -> None:
    sleeper = Sleeper(loop, deadlines).set_in(10)
    sleeper.clear()
    sleeper.clear()
    assert is_empty(deadlines)


@pytest.mark.parametrize("wait", [1.0, 10.0])
def test_deadline_callback_may_clear_another_due_deadline(loop: Loop, deadlines: Deadlines, wait: float) -> None:
    pair = [Sleeper(loop, deadlines).set_in(wait) for _ in range(2)]
    wake = Sleeper.wake

    def clear_the_other(sleeper: Sleeper) -> None:
        wake(sleeper)
        for each in pair:
            each.clear()

    for sleeper in pair:
        sleeper.wake = lambda sleeper=sleeper: clear_the_other(sleeper)  # type: ignore[misc, method-assign]
    loop.go_on(loop.now + wait + 1)
    assert sorted(sleeper.woken for sleeper in pair) == [0, 1]


def test_deadline_callback_may_set_a_new_deadline(loop: Loop, deadlines: Deadlines) -> None:
    sleeper = Sleeper(loop, deadlines).set_in(0.5)
    wake = sleeper.wake

    def wake_and_set() -> None:
        wake()
        if sleeper.woken < 4:
            sleeper.set_in(0.0)

    sleeper.wake = wake_and_set  # type: ignore[method-assign]
    loop.go_on(loop.now + 0.6)
    assert sleeper.woken == 4


def test_deadlines_share_one_timer_of_the_loop(loop: Loop, deadlines: Deadlines) -> None:
    sleepers = [Sleeper(loop, deadlines).set_in(2 - number / 1000) for number in range(1000)]
    assert loop.timers == 2  # and one moves what is far
    before, numbers = loop.made, count(1)

    def wake_and_set(sleeper: Sleeper) -> None:
        Sleeper.wake(sleeper)
        if sleeper.woken == 1:
            sleeper.set(900 - next(numbers) / 100)  # each is due before all that are set

    for sleeper in sleepers:
        sleeper.set_in(0.5)
        sleeper.wake = lambda sleeper=sleeper: wake_and_set(sleeper)  # type: ignore[misc, method-assign]
    loop.go_on(loop.now + 0.6)
    assert {sleeper.woken for sleeper in sleepers} == {2}
    assert loop.made - before < 20


def test_deadline_callback_that_raises_does_not_stop_the_others(loop: Loop, deadlines: Deadlines) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    Sleeper(loop, deadlines).set_in(0.5).wake = fail  # type: ignore[method-assign]
    sleeper = Sleeper(loop, deadlines).set_in(0.51)
    with pytest.raises(ZeroDivisionError):
        loop.go_on(loop.now + 1)
    loop.go_on(loop.now + 1)
    assert sleeper.woken == 1


@pytest.mark.parametrize("wait", [0.5, 10.0])
def test_ten_thousand_due_deadlines_are_fired_in_slices(wait: float) -> None:
    """Each wake takes 20 us of the clock; no iteration of the loop takes much more than a slice."""
    loop = Loop()
    deadlines = deadlines_on(loop)
    iterations: dict[int, float] = {}

    class Busy(Sleeper):
        def wake(self) -> None:
            self.woken += 1
            loop.now += 20e-6
            iterations[loop.iterations] = iterations.get(loop.iterations, 0.0) + 20e-6

    busy = [Busy(loop, deadlines).set_in(wait) for _ in range(10_000)]
    loop.go_on(loop.now + wait + 1)
    assert all(each.woken == 1 for each in busy)
    assert max(iterations.values()) <= SLICE_SECONDS + 2 * 20e-6
    assert is_empty(deadlines)


def test_ten_thousand_deadlines_are_moved_nearer_in_slices() -> None:
    """Each look at the clock takes 5 us of it: to move all of them would take 50 ms."""

    class Slow(Loop):
        def __call__(self) -> float:
            self.now += 5e-6
            return self.now

        def run(self, handle: Handle) -> None:
            began = self.now
            super().run(handle)
            longest.append(self.now - began)

    longest: list[float] = []
    loop = Slow()
    deadlines = Deadlines(cast(Any, loop), loop)
    sleepers = [Sleeper(loop, deadlines) for _ in range(10_000)]
    for sleeper in sleepers:
        deadlines.set(sleeper, 1010.5)
    loop.go_on(1010.0)
    assert len(deadlines) == 10_000
    assert not deadlines._far
    assert SLICE_SECONDS < max(longest) < SLICE_SECONDS + 0.001


@pytest.mark.parametrize("wait", [1.0, 60.0])
def test_cleared_deadline_leaves_no_memory_and_no_timer(loop: Loop, deadlines: Deadlines, wait: float) -> None:
    empty = size_of(deadlines)
    sleepers = [Sleeper(loop, deadlines).set_in(wait + number / 5000) for number in range(10_000)]
    full = size_of(deadlines)
    for sleeper in sleepers:
        sleeper.clear()
    assert is_empty(deadlines)
    assert full > 20 * empty
    deadlines.set(sleepers[0], loop.now + wait)  # dictionaries shrink at the next insertion
    deadlines.clear(sleepers[0])
    loop.go_on(loop.now + 5)
    assert loop.timers == 0


@pytest.mark.parametrize("wait", [1.0, 60.0])
def test_deadline_bucket_frees_memory_of_cleared_deadlines(loop: Loop, deadlines: Deadlines, wait: float) -> None:
    sleepers = [Sleeper(loop, deadlines).set_in(wait) for _ in range(10_000)]
    full = size_of(deadlines)
    for sleeper in sleepers[1:]:
        sleeper.clear()
    assert size_of(deadlines) < 4096 < full
    loop.go_on(loop.now + wait + 1)
    assert sleepers[0].woken == 1


def test_deadlines_set_and_cleared_repeatedly_take_bounded_memory(loop: Loop, deadlines: Deadlines) -> None:
    """One stays, so that no bucket becomes empty; 100,000 others come and go."""
    Sleeper(loop, deadlines).set_in(60)
    largest = 0
    for _ in range(1000):
        others = [Sleeper(loop, deadlines).set_in(60) for _ in range(100)]
        for other in others:
            other.clear()
        largest = max(largest, size_of(deadlines))
    assert largest < 32 << 10
