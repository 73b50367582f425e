"""Wakes connections at their deadlines: exactly, and cheaply while most deadlines are cleared before they come.

A timer of the event loop costs 2 µs to make and cancel, which every one-shot connection would pay for an idle timeout
that it never sees. So deadlines share buckets, in two levels as in a timer wheel:

    far     one bucket per second. Once a second, the deadlines of the second after next are moved to the near buckets.
    near    one bucket per tick of 1/1024 s, the next ticks in order. One timer of the loop waits for the first of them.
"""

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Final, Protocol

# Rule: a connection is never woken before its deadline.
# Rule: cleared deadlines leave no memory in use: an empty bucket is deleted, a shrunken one is compacted.
# Rule: work that grows with the number of connections is done in slices, so that other work can run.

TICKS: Final = 1024  # near buckets per second; a power of two, so that products with it are exact
NEAR_SECONDS: Final = 3  # between 2 and 3 s ahead, so that a refill may be late by one second
REFILL_SECONDS: Final = 1.0  # between two moves of far deadlines to the near buckets
SLICE_SECONDS: Final = 0.004  # max. seconds of firing or moving before the loop polls sockets again
MILLISECOND: Final = 0.001  # the resolution of libuv's timers: they may fire that much early
COARSE: Final = 8  # far deadlines are rounded up to this many ticks: fewer wake-ups for idle timeouts
SPARE: Final = 16  # deadlines cleared from a bucket before it is worth shrinking

NEVER: Final = 1 << 62  # later than any tick


class Timed(Protocol):
    """An object that can be woken. `Deadlines` maintains `timer_key` and `timer_at`."""

    timer_key: int | None
    timer_at: float

    def wake(self) -> None:
        """The deadline has come."""


class Bucket(set[Timed]):
    """Deadlines that are handled together."""

    __slots__ = ("spare", "timer_key")

    timer_key: int
    """The bucket's key, one object shared by its deadlines."""
    spare: int
    """How many deadlines may be cleared before the set is compacted: sets do not shrink by themselves."""

    def shrink(self) -> None:
        """Free the memory of cleared deadlines."""
        rest = tuple(self)
        self.clear()
        self.update(rest)
        self.spare = len(rest) // 2 + SPARE


class Deadlines:
    """The deadlines of all connections of a worker, on the clock of `time.monotonic`."""

    __slots__ = ("_armed", "_clock", "_far", "_loop", "_near", "_near_until", "_refill_handle", "_ticks", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._far: dict[int, Bucket] = {}  # by second, negated to tell it from a tick
        self._near: dict[int, Bucket] = {}  # by tick
        self._ticks: list[int] = []  # the ticks of the near buckets
        self._near_until = 0  # the first second that has not been moved to the near buckets
        self._refill_handle: asyncio.Handle | None = None  # the next refill
        self._timer: asyncio.Handle | None = None  # fires the first tick
        self._armed = NEVER  # the tick for which that is

    def __len__(self) -> int:
        """Return how many deadlines are set."""
        return sum(map(len, self._far.values())) + sum(map(len, self._near.values()))

    def set(self, timed: Timed, deadline: float) -> None:
        """Set a deadline, replacing an earlier one; `inf` for never."""
        if timed.timer_key is not None:
            self.clear(timed)
        if deadline == inf:
            return
        if self._refill_handle is None:
            self._near_until = int(self._clock()) + NEAR_SECONDS
            self._refill_handle = self._loop.call_later(REFILL_SECONDS, self._refill)
        timed.timer_at = deadline
        if deadline < self._near_until:
            self._set_near(timed, int(deadline * TICKS) + 1)
            return
        key = -int(deadline)
        bucket = self._far.get(key)
        if bucket is None:  # as in `_bucket`, without another call
            self._far[key] = bucket = Bucket()
            bucket.timer_key, bucket.spare = key, SPARE
        bucket.add(timed)
        timed.timer_key = bucket.timer_key

    def clear(self, timed: Timed) -> None:
        """Cancel the deadline."""
        alarm = timed.timer_key
        if alarm is None:
            return
        timed.timer_key, timed.timer_at = None, inf
        bucket = self._far[alarm] if alarm < 0 else self._near[alarm]
        bucket.remove(timed)
        if bucket:
            bucket.spare -= 1
            if not bucket.spare:
                bucket.shrink()
        elif alarm < 0:
            del self._far[alarm]
        else:
            del self._near[alarm]
            del self._ticks[bisect_left(self._ticks, alarm)]

    def _set_near(self, timed: Timed, tick: int) -> None:
        bucket = self._near.get(tick)
        if bucket is None:
            bucket = self._bucket(self._near, tick)
            insort(self._ticks, tick)
            if tick < self._armed:
                self._arm()
        bucket.add(timed)
        timed.timer_key = bucket.timer_key

    def _bucket(self, buckets: dict[int, Bucket], key: int) -> Bucket:
        buckets[key] = bucket = Bucket()
        bucket.timer_key, bucket.spare = key, SPARE
        return bucket

    def _arm(self) -> None:
        """Schedule the first tick."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._ticks:
            self._armed = NEVER
            return
        self._armed = self._ticks[0]
        wait = self._armed / TICKS - self._clock()
        if wait > 0:
            self._timer = self._loop.call_later(wait + MILLISECOND, self._fire)
        else:
            self._timer = self._loop.call_soon(self._fire)

    def _fire(self) -> None:
        """Wake what is due, within one time slice."""
        self._timer = None
        self._armed = 0  # deadlines set meanwhile do not arm the timer
        now = self._clock()
        until = now + SLICE_SECONDS
        ticks = self._ticks
        try:
            while ticks and ticks[0] <= now * TICKS and now < until:
                bucket = self._near[ticks[0]]
                timed = bucket.pop()
                if not bucket:
                    del self._near[ticks[0]], ticks[0]
                timed.timer_key, timed.timer_at = None, inf
                timed.wake()
                now = self._clock()
        finally:
            self._arm()

    def _refill(self) -> None:
        """Move deadlines that have become near to the near buckets, within one time slice."""
        now = self._clock()
        near_until = int(now) + NEAR_SECONDS
        until = now + SLICE_SECONDS
        far = self._far
        while self._near_until < near_until:
            bucket = far.get(-self._near_until)
            while bucket:
                if self._clock() >= until:
                    self._refill_handle = self._loop.call_soon(self._refill)
                    return
                timed = bucket.pop()
                self._set_near(timed, (int(timed.timer_at * (TICKS // COARSE)) + 1) * COARSE)
            far.pop(-self._near_until, None)
            self._near_until += 1
        more = far or self._near
        self._refill_handle = self._loop.call_later(REFILL_SECONDS, self._refill) if more else None
