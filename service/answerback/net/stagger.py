"""Applies an action to many connections evenly over a time, so that their clients do not all reconnect at once."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from answerback.net.connection import Connection

ROUNDING: Final = 1e-6  # rounding tolerance of divisions, in connections
TURN: Final = 0.01  # min. seconds between two batches
TURN_SECONDS: Final = 0.004  # max. seconds of a batch; the rest follows later


class Staggered:
    """Calls `act` for the i-th of n connections at i/n of `over_seconds`: for the last one at the end.

    Without a time, for all as fast as other connections' events allow.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Iterable[Connection],
        act: Callable[[Connection], None],
        over_seconds: float,
    ) -> None:
        self._loop = loop
        self._waiting = deque(connections)
        self._act = act
        self._over_seconds = over_seconds
        self._count = len(self._waiting)
        self._began = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._turn()

    def cancel(self) -> None:
        """Stop; the remaining connections are not affected."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        self._timer = None
        now = monotonic()
        elapsed = now - self._began
        due = (
            int(self._count * elapsed / self._over_seconds + ROUNDING) if elapsed < self._over_seconds else self._count
        )
        while self._waiting and self._count - len(self._waiting) < due:
            self._act(self._waiting.popleft())
            if monotonic() - now >= TURN_SECONDS:
                self._timer = self._loop.call_later(0.0, self._turn)
                return
        if self._waiting:
            next_at = self._over_seconds / self._count * (self._count - len(self._waiting) + 1)
            self._timer = self._loop.call_later(max(TURN, self._began + next_at - monotonic()), self._turn)
