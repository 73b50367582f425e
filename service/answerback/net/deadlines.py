"""Wakes connections at their deadlines, cheaply while these keep moving away.

A timer of the event loop costs 2 µs to make and cancel, which every one-shot connection would pay for an idle timeout
that it never sees. So a far deadline is only a place in the set of its second, and gets a timer once it is near.
"""

import asyncio
from math import inf
from time import monotonic
from typing import Protocol

# Rule: a connection is woken at its deadline or up to a second earlier, never later by our doing.

NEAR_SECONDS = 2.0
TICK_SECONDS = 1.0
MILLISECOND = 0.001  # the resolution of libuv's timers: they may fire that much early


class Timed(Protocol):
    """What can be woken. `alarm` and `due` are kept by `Deadlines`."""

    alarm: asyncio.TimerHandle | int | None
    due: float

    def wake(self) -> None:
        """The deadline that was set has come, or is near."""


class Deadlines:
    """The deadlines of all connections of a worker, on the clock of `time.monotonic`."""

    __slots__ = ("_buckets", "_loop", "_tick")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._buckets: dict[int, set[Timed]] = {}
        self._tick: asyncio.TimerHandle | None = None

    def set(self, timed: Timed, deadline: float) -> None:
        """Wake it then, in place of what was set before; `inf` for never."""
        if timed.alarm is not None:
            self.clear(timed)
        if deadline == inf:
            return
        wait = deadline - monotonic()
        if wait < NEAR_SECONDS:
            timed.due = deadline
            timed.alarm = self._loop.call_later(max(wait, 0.0) + MILLISECOND, self._ring, timed)
            return
        second = int(deadline)
        timed.due = timed.alarm = second
        bucket = self._buckets.get(second)
        if bucket is None:
            self._buckets[second] = {timed}
        else:
            bucket.add(timed)
        if self._tick is None:
            self._tick = self._loop.call_later(TICK_SECONDS, self._turn)

    def clear(self, timed: Timed) -> None:
        """Do not wake it."""
        alarm, timed.alarm, timed.due = timed.alarm, None, inf
        if type(alarm) is int:
            bucket = self._buckets.get(alarm)
            if bucket is not None:
                bucket.discard(timed)
        elif alarm is not None:
            alarm.cancel()  # type: ignore[union-attr]  # mypy does not narrow by type(...) is

    def _ring(self, timed: Timed) -> None:
        timed.alarm, timed.due = None, inf
        timed.wake()

    def _turn(self) -> None:
        now = monotonic()
        for second in [second for second in self._buckets if second <= now]:
            for timed in self._buckets.pop(second):
                if timed.alarm == second:  # another of them may have ended it
                    self._ring(timed)
        self._tick = self._loop.call_later(TICK_SECONDS, self._turn) if self._buckets else None
