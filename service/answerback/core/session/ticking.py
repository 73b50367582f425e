"""The clocks of a connection's rules on TICK."""

from collections.abc import Sequence
from math import floor, inf

from answerback.core.plan import Tick

# Rule: each rule has a grid of its own, from the start of the connection. Points that were missed are one tick.


class Ticking:
    """When the rules on TICK of one connection are due."""

    __slots__ = ("_began", "_next", "due", "ticks")

    due: float
    """When the first of them is due."""
    ticks: Sequence[Tick]

    def __init__(self, ticks: Sequence[Tick], began: float, now: float) -> None:
        """`began`: when the connection was accepted. The first points are those after `now`."""
        self.ticks = ticks
        self._began = began
        self._next = [self._point_after(now, tick.interval) for tick in ticks]
        self.due = min(self._next, default=inf)

    def take(self, now: float) -> Tick:
        """Return the rule that has been due for longest; the first of several. Its clock moves behind `now`."""
        index = self._next.index(self.due)
        tick = self.ticks[index]
        self._next[index] = self._point_after(max(now, self.due), tick.interval)
        self.due = min(self._next)
        return tick

    def _point_after(self, now: float, interval: float) -> float:
        """Return the first point of the grid after `now`."""
        number = floor((now - self._began) / interval) + 1
        point = self._began + number * interval
        return point if point > now else self._began + (number + 1) * interval
