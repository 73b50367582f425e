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
# Rule: what is cleared leaves nothing behind: an empty bucket is deleted, one that has shrunk gives its memory back.
# Rule: work that grows with the number of connections is done in slices, so that others get their turn.

TICKS: Final = 1024  # near buckets per second; a power of two, so that products with it are exact
NEAR_SECONDS: Final = 3  # between 2 and 3 s ahead, so that a turn of the far buckets may be late by one second
TURN_SECONDS: Final = 1.0
SLICE_SECONDS: Final = 0.004  # what firing or moving may take before the loop looks at sockets again
MILLISECOND: Final = 0.001  # the resolution of libuv's timers: they may fire that much early
COARSE: Final = 8  # ticks to which deadlines are rounded up that were far: fewer turns of the loop for idle timeouts
SPARE: Final = 16  # deadlines cleared from a bucket before it is worth shrinking

NEVER: Final = 1 << 62  # a tick that does not come


class Timed(Protocol):
    """What can be woken. `alarm` and `due` are kept by `Deadlines`."""

    alarm: int | None
    due: float

    def wake(self) -> None:
        """The deadline that was set has come."""


class Bucket(set[Timed]):
    """Deadlines that are dealt with together."""

    __slots__ = ("alarm", "spare")

    alarm: int
    """Its key, one object for all that are in it."""
    spare: int
    """How many may be cleared before it gives back the memory of those that were: sets do not shrink."""

    def shrink(self) -> None:
        """Give back the memory of what was cleared."""
        rest = tuple(self)
        self.clear()
        self.update(rest)
        self.spare = len(rest) // 2 + SPARE


class Deadlines:
    """The deadlines of all connections of a worker, on the clock of `time.monotonic`."""

    __slots__ = ("_armed", "_clock", "_far", "_loop", "_near", "_near_until", "_ticks", "_timer", "_turning")

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = monotonic) -> None:
        self._loop = loop
        self._clock = clock
        self._far: dict[int, Bucket] = {}  # by second, negated: so it is told from a tick
        self._near: dict[int, Bucket] = {}  # by tick
        self._ticks: list[int] = []  # those of the near buckets, in order
        self._near_until = 0  # the first second that has not been moved to the near buckets
        self._turning: asyncio.Handle | None = None  # moves the next second
        self._timer: asyncio.Handle | None = None  # fires the first tick
        self._armed = NEVER  # the tick for which that is

    def __len__(self) -> int:
        """How many deadlines are set."""
        return sum(map(len, self._far.values())) + sum(map(len, self._near.values()))

    def set(self, timed: Timed, deadline: float) -> None:
        """Wake it then, in place of what was set before; `inf` for never."""
        if timed.alarm is not None:
            self.clear(timed)
        if deadline == inf:
            return
        if self._turning is None:
            self._near_until = int(self._clock()) + NEAR_SECONDS
            self._turning = self._loop.call_later(TURN_SECONDS, self._turn)
        timed.due = deadline
        if deadline < self._near_until:
            self._set_near(timed, int(deadline * TICKS) + 1)
            return
        key = -int(deadline)
        bucket = self._far.get(key)
        if bucket is None:
            bucket = self._bucket(self._far, key)
        bucket.add(timed)
        timed.alarm = bucket.alarm

    def clear(self, timed: Timed) -> None:
        """Do not wake it."""
        alarm = timed.alarm
        if alarm is None:
            return
        timed.alarm, timed.due = None, inf
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
        timed.alarm = bucket.alarm

    def _bucket(self, buckets: dict[int, Bucket], key: int) -> Bucket:
        buckets[key] = bucket = Bucket()
        bucket.alarm, bucket.spare = key, SPARE
        return bucket

    def _arm(self) -> None:
        """Have the first tick fired when it comes."""
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
        """Wake what is due, or as much of it as fits into a slice."""
        self._timer = None
        self._armed = 0  # what is set meanwhile arms nothing
        now = self._clock()
        until = now + SLICE_SECONDS
        ticks = self._ticks
        try:
            while ticks and ticks[0] <= now * TICKS and now < until:
                bucket = self._near[ticks[0]]
                timed = bucket.pop()
                if not bucket:
                    del self._near[ticks[0]], ticks[0]
                timed.alarm, timed.due = None, inf
                timed.wake()
                now = self._clock()
        finally:
            self._arm()

    def _turn(self) -> None:
        """Move what is near by now to the near buckets, or as much of it as fits into a slice."""
        now = self._clock()
        near_until = int(now) + NEAR_SECONDS
        until = now + SLICE_SECONDS
        far = self._far
        while self._near_until < near_until:
            bucket = far.get(-self._near_until)
            while bucket:
                if self._clock() >= until:
                    self._turning = self._loop.call_soon(self._turn)
                    return
                timed = bucket.pop()
                self._set_near(timed, (int(timed.due * (TICKS // COARSE)) + 1) * COARSE)
            far.pop(-self._near_until, None)
            self._near_until += 1
        more = far or self._near
        self._turning = self._loop.call_later(TURN_SECONDS, self._turn) if more else None
