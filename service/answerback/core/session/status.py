"""What operators see of a conversation."""

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerback.core.session.session import Session
    from answerback.core.session.slow_reader import SlowReader


def waits_for(session: "Session | SlowReader") -> str:
    """Return what has to happen next, as `ConnectionService` names it."""
    script = session.conversation.script
    if session.blocked_since != inf:
        return "client_reads"
    if session.wants_turn:
        return "turn"
    if session.awaits_fin:
        return "fin"
    if script is None:
        return "request"
    if script.signal:
        return "signal"
    return "hang" if script.hang is not None else "timer" if script.receive is None else "frame"
