"""Input that is no complete request or frame: it is waited for, answered by an interim response, or given up."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from answerback.core.actions import Action, Send
from answerback.core.framing import Framing
from answerback.core.session.closing import NOTHING
from answerback.core.session.leaving import leave
from answerback.core.session.reader import READ_AHEAD

if TYPE_CHECKING:
    from answerback.core.session.session import Session


def await_rest(session: "Session", now: float, *, more: bool = False, taken: int = 0) -> Sequence[Action]:
    """Decide how to continue after `taken` bytes were processed. `more`: what is left may begin with a request."""
    conversation, eof = session.conversation, session.eof
    reader, limits = conversation.reader, session.plan.limits
    left = len(reader.buffer)
    reader.searched = 0
    session.wants_read = not eof
    if more:
        conversation.partial_since = inf
        reader.count_empty(taken)
        if conversation.script_waits:
            session.wants_read = not eof and left < READ_AHEAD
        session.wants_read = session.wants_read and session.turn_began is not None
        return NOTHING  # `writing_resumed` continues, or the script
    framer = conversation.framer
    assert framer is not None
    completes = eof and framer.eof_completes
    hopeless = reader.why_hopeless(framer, limits.max_request_bytes) if left and not completes else None
    if hopeless is not None:
        return session.close(hopeless)
    if eof:
        return _end_input(session, framer, now)
    if not left and conversation.script is None:
        conversation.partial_since = inf
        return leave(session, now)
    reader.searched = left
    if taken or conversation.partial_since == inf:
        conversation.partial_since = now
        session.deadline = min(session.deadline, now + limits.request_timeout)
    if framer.idle_gap != inf:
        session.deadline = min(session.deadline, now + framer.idle_gap)
    return send_interim(session, framer) if framer.interim else NOTHING


def _end_input(session: "Session", framer: Framing, now: float) -> Sequence[Action]:
    """The peer has sent FIN behind what is left: a request if FIN completes it, and otherwise truncated."""
    conversation = session.conversation
    reader = conversation.reader
    if reader.buffer:
        if framer.eof_completes and not conversation.receiving:
            return session.converse(now, ended=True)
        session.metrics.truncated()
        reader.buffer = b""
    return leave(session, now)


def send_interim(session: "Session", framer: Framing) -> Sequence[Action]:
    """Send what the peer waits for before it sends the rest of its request. Faults do not apply to it."""
    interim = Send(framer.interim)
    framer.interim_sent()
    if session.observer is not None:
        session.observer.sent(interim.data)
    return (interim,)
