"""What is due on a connection, and when."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason
from answerback.core.session.closing import HALF_CLOSED, NOTHING
from answerback.core.session.events import idle
from answerback.core.session.playing import resume
from answerback.core.session.ticking import tick, ticks

if TYPE_CHECKING:
    from answerback.core.session.session import Session


def run_timers(session: "Session", now: float) -> Sequence[Action]:
    """Do what is due first, if anything is, and set the deadline of what is due next."""
    actions = NOTHING
    for due, act in _timers(session, now):
        if now >= due:
            actions = act()
            break
    session.deadline = min(due for due, _ in _timers(session, now))
    return actions


def _timers(session: "Session", now: float) -> Iterator[tuple[float, Callable[[], Sequence[Action]]]]:
    """Yield what is due when, if nothing happens until then; the earliest is carried out."""
    limits, conversation = session.plan.limits, session.conversation
    closing, script = session.closing, conversation.script
    yield session.blocked_since + limits.write_timeout, lambda: session.own_closing().abort(session)
    if closing is not None and closing.phase > HALF_CLOSED:
        yield closing.deadline, partial(closing.finish, session)
        return
    yield session.born + limits.lifetime, partial(session.close, CloseReason.MAX_LIFETIME)
    if script is not None:
        yield script.resume_at, partial(resume, session, now)
    if session.turn_began is None:  # the peer's silence is timed from the end of this work
        yield now + limits.idle_timeout, lambda: NOTHING
    if script is not None and script.awaits is not None:
        yield session.active_at + limits.idle_timeout, partial(idle, session, now)
    if session.busy:
        return
    if session.ticking is not None and ticks(session, inf) and not session.awaits_flush:
        yield session.ticking.due, partial(tick, session, now)
    yield conversation.partial_since + limits.request_timeout, partial(session.close, CloseReason.REQUEST_TIMEOUT)
    framer = conversation.framer
    if framer is not None and framer.idle_gap != inf and conversation.reader.buffer:
        yield session.active_at + framer.idle_gap, partial(session.converse, now, ended=True)
    yield session.active_at + limits.idle_timeout, partial(idle, session, now)
