"""The clocks of a connection's rules on TICK."""

from collections.abc import Sequence
from math import floor, inf
from typing import TYPE_CHECKING

from answerback.core.actions import Action
from answerback.core.plan import Event, Tick
from answerback.core.session.closing import OPEN
from answerback.core.session.events import begin

if TYPE_CHECKING:
    from answerback.core.session.session import Session
    from answerback.core.session.state import SessionState

# Rule: each rule has a grid of its own, from the start of the connection. Points that were missed are one tick.


class Ticking:
    """When the rules on TICK of one connection are due, and what they do then."""

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


def set_clocks(session: "SessionState", now: float) -> None:
    """Set the clocks of the plan's rules on TICK."""
    plan = session.plan
    session.ticking = Ticking(plan.ticks, session.born, now) if plan.ticks else None
    if session.ticking is not None:
        session.deadline = min(session.deadline, session.ticking.due)


def ticks(session: "Session", now: float) -> bool:
    """Whether a rule on TICK is due: no script is in progress, and the conversation goes on."""
    ticking, closing = session.ticking, session.closing
    if ticking is None or ticking.due > now:
        return False
    return session.conversation.script is None and (
        closing is None or (closing.phase == OPEN and not closing.rules_applied)
    )


def tick_comes_next(session: "Session", now: float) -> bool:
    """Whether a rule on TICK acts before anything else; if not, the deadline is that of the next tick."""
    ticking = session.ticking
    if ticking is None or not ticks(session, inf):
        return False
    if session.turn_began is not None and ticking.due <= now:
        return True
    session.deadline = min(session.deadline, ticking.due)
    return False


def tick(session: "Session", now: float) -> Sequence[Action]:
    """Play the scripts of the rules on TICK that are due, until one waits."""
    actions: list[Action] = []
    session.conversation.use_active_plan(session, now)
    while ticks(session, now):
        assert session.ticking is not None
        begin(session, Event.TICK, session.ticking.take(now).rules, actions, now)
        if session.conversation.script is not None:
            session.conversation.script.event = Event.TICK
        elif session.out_of_time():
            session.give_way()
            break
    if session.phase == OPEN and session.conversation.script is None:
        session.awaits_flush = True  # what was received meanwhile is processed from there
    return actions
