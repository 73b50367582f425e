"""One thing done to many connections, spread evenly over a time, so that their clients do not all come back at once."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from answerback.net.connection import Connection

ROUNDING: Final = 1e-6  # of one connection: what divisions may be short by
TURN: Final = 0.01  # seconds between two turns at least
TURN_SECONDS: Final = 0.004  # what falls due in one of them is done in it, for so long; the rest follows after others


class Staggered:
    """Does `act` to the i-th of n connections at i/n of the time, `over` seconds: to the last at its end.

    Without a time, to all as fast as other connections' events allow.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connections: Iterable[Connection],
        act: Callable[[Connection], None],
        over: float,
    ) -> None:
        self._loop = loop
        self._waiting = deque(connections)
        self._act = act
        self._over = over
        self._count = len(self._waiting)
        self._began = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._turn()

    def cancel(self) -> None:
        """Leave the rest alone."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        self._timer = None
        now = monotonic()
        elapsed = now - self._began
        due = int(self._count * elapsed / self._over + ROUNDING) if elapsed < self._over else self._count
        while self._waiting and self._count - len(self._waiting) < due:
            self._act(self._waiting.popleft())
            if monotonic() - now >= TURN_SECONDS:
                self._timer = self._loop.call_later(0.0, self._turn)
                return
        if self._waiting:
            next_at = self._over / self._count * (self._count - len(self._waiting) + 1)
            self._timer = self._loop.call_later(max(TURN, self._began + next_at - monotonic()), self._turn)
