"""The requests of a connection are framed, `answering` answers them, and what is left decides how to go on."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason
from answerback.core.framing import MAX_BATCH, Malformed
from answerback.core.plan import Rule
from answerback.core.session.answering import answer_each, answer_or_forward
from answerback.core.session.closing import CLOSING, HALF_CLOSED, NOTHING, OPEN, Closing
from answerback.core.session.conversation import Conversation
from answerback.core.session.frames import receive
from answerback.core.session.incomplete import await_rest
from answerback.core.session.leaving import leave
from answerback.core.session.script import TURN_SECONDS
from answerback.core.session.ticking import tick, tick_comes_next

if TYPE_CHECKING:
    from answerback.core.session.session import Session

# Rule: code that runs for every request is inline here; rare cases have functions of their own.


def converse(session: "Session", now: float, *, ended: bool = False) -> Sequence[Action]:
    """Answer the requests in the buffer. `ended`: the rest of the buffer is a complete request."""
    if session.active.plan is not session.plan:
        session.conversation.use_active_plan(session, now)
    conversation, closing = session.conversation, session.closing
    if closing is not None and closing.phase != OPEN:
        return _not_answered(session, conversation, now)
    script = conversation.script
    try:
        if script is not None and script.receive is not None:
            return receive(session, script, script.receive, now, ended=ended)
        return _answer(session, conversation, now, ended)
    except Malformed:
        return session.close(CloseReason.MALFORMED_REQUEST)


def _not_answered(session: "Session", conversation: Conversation, now: float) -> Sequence[Action]:
    """Our half is closed: input is not a request and is not processed."""
    conversation.reader.buffer = b""
    conversation.partial_since = inf
    closing, script = session.closing, conversation.script
    if script is not None and script.receive is not None:
        return receive(session, script, script.receive, now)
    leaves = script is None and closing is not None and closing.leaves
    return leave(session, now) if leaves else NOTHING


def _split(session: "Session", conversation: Conversation, ended: bool) -> tuple[Sequence[bytes], int]:
    """Return the requests at the start of the buffer, and where the next one begins."""
    reader = conversation.reader
    framer, buffer = reader.framer, reader.buffer
    if session.observer is not None:
        session.observer.request_split(reader.framing, framer)
    if ended:
        return (bytes(buffer),), len(buffer)
    requests, end = reader.empty_request() if framer is None else framer.split(buffer, reader.searched)
    if not requests and framer is not None and framer.unfinished:
        requests, end = conversation.split_on(session, framer)
    if reader.before is None or not requests:
        return requests, end
    return reader.first_alone(requests, end)


def _answer(session: "Session", conversation: Conversation, now: float, ended: bool) -> Sequence[Action]:
    """Frame and answer requests, and decide how to continue."""
    reader = conversation.reader
    for_one = reader.before is not None
    requests, end = _split(session, conversation, ended)
    buffer, framer = reader.buffer, reader.framer
    actions: list[Action] = []
    matched: list[Rule | None] = []
    forwarding = session.forwarding
    if forwarding is None:
        more = answer_each(session, conversation, requests, end, matched, actions, now)
    else:
        more = answer_or_forward(session, forwarding, requests, end, matched, actions, now)
    answered = len(matched)
    rest = end < len(buffer)
    if answered:
        unfinished = rest and framer is not None and framer.unfinished
        more = more or for_one or unfinished or answered == MAX_BATCH
        conversation.started = now
        session.awaits_flush = True
        conversation.answered = answered - (conversation.script is not None)
        if forwarding is not None:
            forwarding.note_over(conversation, conversation.number - answered)
    if answered < len(requests) and framer is not None:  # in this case it is the framer that found them
        end = framer.consumed(buffer, answered)
    elif answered and not (more or ended or rest) and conversation.selector.caches_replies:
        _cache_reply(session, conversation, matched)
    if more or rest or session.closing is not None or session.turn_began is None or session.observer is not None:
        return _go_on(session, conversation, actions, end, more, now)
    reader.buffer = b""
    session.wants_read = True
    conversation.partial_since = inf
    return actions


def _go_on(
    session: "Session", conversation: Conversation, actions: list[Action], end: int, more: bool, now: float
) -> Sequence[Action]:
    """Remove the requests that were answered, and decide how to continue, if not by waiting for the next one."""
    if session.turn_began is None and not more:
        return actions  # a request is still being parsed
    reader, phase = conversation.reader, session.phase
    if phase == OPEN:
        conversation.consume(session, end)
        if reader.buffer or more or session.closing is not None:
            actions += await_rest(session, now, more=more, taken=end)
        else:
            session.wants_read = True
            conversation.partial_since = inf
    elif phase == HALF_CLOSED:
        actions += _not_answered(session, conversation, now)
    return actions


def _cache_reply(session: "Session", conversation: Conversation, matched: Sequence[Rule | None]) -> None:
    """Cache the replies to this read, if they depend on its bytes alone."""
    rule, reader = matched[0], conversation.reader
    data = reader.buffer
    if reader.framing is not session.plan.framing or type(data) is not bytes:
        return
    if session.forwarding is not None and (rule is None or session.forwarding.replies is not None):
        return
    cache = conversation.selector.reply_cache
    if data in cache.entries:  # at first sight, as most reads are, they are only noted
        framer = reader.framer
        if framer is None or framer.has_history or session.observer is not None or matched.count(rule) < len(matched):
            return
    cache.store(data, len(matched), rule)


def flushed_while_closing(session: "Session", closing: Closing, now: float) -> Sequence[Action]:
    """The kernel has taken everything, and the end of the conversation has begun."""
    if closing.phase == CLOSING:
        closing.linger(now)
        session.deadline = min(session.deadline, closing.deadline)
    elif closing.phase <= HALF_CLOSED:
        if tick_comes_next(session, now):
            return tick(session, now)
        conversation = session.conversation
        reader = conversation.reader
        if closing.leaves or reader.buffer or reader.framer is None or conversation.script is not None:
            return go_on(session, now)
    return NOTHING


def go_on(session: "Session", now: float) -> Sequence[Action]:
    """Process what is left once the kernel has taken everything; at the next turn if this one is used up."""
    if session.busy:
        return NOTHING
    began, reader = session.turn_began, session.conversation.reader
    if began is not None and now - began >= TURN_SECONDS and (reader.buffer or reader.framer is None):
        session.give_way()
        return NOTHING
    return converse(session, now)
