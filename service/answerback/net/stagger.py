"""Applies an action to many connections evenly over a time, so that their clients do not all reconnect at once."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from answerback.net.served import Served

ROUNDING: Final = 1e-6  # rounding tolerance of divisions, in connections
BATCH_GAP_SECONDS: Final = 0.01  # at least, between two batches
BATCH_SECONDS: Final = 0.004  # at most, of a batch; the rest follows later


class Staggered:
    """Calls `act` for the i-th of n connections at i/n of `spread_seconds`: for the last one at the end.

    Without a time, for all as fast as other connections' events allow.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Iterable[Served],
        act: Callable[[Served], None],
        spread_seconds: float,
    ) -> None:
        self._loop = loop
        self._waiting = deque(connections)
        self._act = act
        self._spread_seconds = spread_seconds
        self._count = len(self._waiting)
        self._began = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._act_on_due()

    def cancel(self) -> None:
        """Stop; the remaining connections are not affected."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _act_on_due(self) -> None:
        self._timer = None
        now = monotonic()
        elapsed = now - self._began
        in_time = elapsed < self._spread_seconds
        due = int(self._count * elapsed / self._spread_seconds + ROUNDING) if in_time else self._count
        while self._waiting and self._count - len(self._waiting) < due:
            self._act(self._waiting.popleft())
            if monotonic() - now >= BATCH_SECONDS:
                self._timer = self._loop.call_later(0.0, self._act_on_due)
                return
        if self._waiting:
            next_at = self._spread_seconds / self._count * (self._count - len(self._waiting) + 1)
            gap = max(BATCH_GAP_SECONDS, self._began + next_at - monotonic())
            self._timer = self._loop.call_later(gap, self._act_on_due)
