"""The peer leaves, or a drain begins: what is in progress is finished first, then rules on EOF or DRAIN apply."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from answerback.core.actions import Action, CloseReason
from answerback.core.plan import Event
from answerback.core.session.closing import HALF_CLOSED, NOTHING
from answerback.core.session.events import begin, close_after_faults

if TYPE_CHECKING:
    from answerback.core.session.session import Session

# A drain waits so long, from accept, for the first request: it is on its way, or is retransmitted because the SYN
# filter dropped it (after at least 0.2 s, RFC 6298 as Linux implements it).
FIRST_REQUEST_SECONDS: Final = 1.0
PEER_EOF, EOF = CloseReason.PEER_EOF, Event.EOF  # see `closing.SERVER_CLOSE`


def receive_eof(session: "Session", now: float) -> Sequence[Action]:
    """The peer has closed its half, and everything before was received."""
    conversation, closing = session.conversation, session.closing or session.own_closing()
    closing.eof = session.fin_noted = True
    session.wants_read = False
    if closing.phase > HALF_CLOSED:
        return closing.finish(session)
    if session.busy:
        return end_hang(session)
    if conversation.reader.buffer or conversation.script is not None or session.active.plan is not session.plan:
        session.turn_began = now
        return session.converse(now)
    return leave(session, now)  # the common case: nothing is unsent or incomplete


def end_hang(session: "Session") -> Sequence[Action]:
    """The peer has sent FIN, which ends a script that hangs, unless it ignores that."""
    script = session.conversation.script
    gives_up = script is not None and script.hang is not None and not script.hang.ignore_fin
    return session.close(CloseReason.PEER_GAVE_UP) if gives_up else NOTHING


def drain(session: "Session", now: float) -> Sequence[Action]:
    """Finish the request in progress, an incomplete one too, then close in order."""
    closing, script = session.own_closing(), session.conversation.script
    closing.draining = True
    if script is not None and (script.hang is not None or script.signal):
        return session.close(CloseReason.DRAIN)
    if closing.phase > HALF_CLOSED or session.busy:
        return NOTHING
    session.turn_began = now
    return session.converse(now)


def leave(session: "Session", now: float) -> Sequence[Action]:
    """The peer has sent FIN, or a drain has begun, and nothing is owed: apply the event's rules, then close."""
    actions: list[Action] = []
    closing, plan = session.closing, session.plan
    assert closing is not None
    if session.forwarding is not None and session.forwarding.owes:
        session.forwarding.await_owed(session)
        return NOTHING
    session.conversation.script = None  # input that the script waited for will not come
    if closing.eof:
        reason, event, rules = PEER_EOF, EOF, plan.on_eof
    else:
        reason, event, rules = CloseReason.DRAIN, Event.DRAIN, plan.on_drain
    if not closing.rules_applied:
        closing.rules_applied = True
        if begin(session, event, rules, actions, now, reason):
            return actions  # `writing_resumed` calls this again
    return close_after_faults(session, reason, now)
