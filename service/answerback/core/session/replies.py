"""What the upstream sends is framed, and each reply is passed on, or answered for by the rule that is found for it.

A reply is taken while no script is in progress, or while the script waits for replies: so nothing comes between the
parts of a local answer, and local answers come between replies.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason, Send
from answerback.core.framing import Malformed
from answerback.core.plan import Event, Rule
from answerback.core.session.closing import NOTHING, OPEN
from answerback.core.session.leaving import leave
from answerback.core.session.owed import OwedReplies
from answerback.core.session.playing import interrupt, play, resume, return_to, script_of
from answerback.core.session.script import OUTPUT_AHEAD, SEARCHING, TURN_SECONDS, find, search
from answerback.core.steps import Step

if TYPE_CHECKING:
    from answerback.core.session.session import Session

# Rule: a reply is complete before anything is sent for it, so TICK and IDLE never send inside one.
# Rule: replies have turns as requests have: 64 KiB of the shortest ones take several.

ENDS = {
    CloseReason.MALFORMED_REQUEST: CloseReason.UPSTREAM_MALFORMED,
    CloseReason.REQUEST_TOO_LARGE: CloseReason.UPSTREAM_TOO_LARGE,
}
"""What is wrong with a reply, by what would be wrong with such a request."""


def takes_replies(session: "Session") -> bool:
    """Whether a reply can be taken now."""
    script = session.conversation.script
    idle = script is None or script.awaits is not None
    return idle and session.phase == OPEN and session.turn_began is not None


def has_work(session: "Session", replies: OwedReplies, now: float) -> bool:
    """Whether `take_replies` has anything to do without further input."""
    if not takes_replies(session):
        return False
    ends = bool(replies.reader.buffer) and (replies.ended or now >= replies.quiet_at)
    return replies.more or ends or _is_due(session, replies)


def receive_reply(session: "Session", replies: OwedReplies, data: bytes, now: float) -> Sequence[Action]:
    """The upstream has sent these bytes."""
    if replies.stream is not None:
        replies.stream += data
        return NOTHING
    replies.reader.append(data)
    replies.more = True
    gap = replies.reader.framing.idle_gap if replies.reader.framing is not None else inf
    replies.quiet_at = now + gap
    replies.heard_at = now
    if replies.gave_way:
        return NOTHING
    replies.began = now
    return take_replies(session, replies, now)


def take_replies(session: "Session", replies: OwedReplies, now: float) -> Sequence[Action]:
    """Take the replies that have come, as far as the turn goes, and what has waited for them."""
    actions: list[Action] = []
    if not takes_replies(session):
        return actions
    if now - replies.began >= TURN_SECONDS:
        replies.gave_way = True
        return actions
    session.turn_began = replies.began
    session.conversation.use_active_plan(session, now)
    try:
        if replies.more and not _is_due(session, replies):
            _take(session, replies, actions, now)
        if not replies.more and takes_replies(session):
            _take_rest(session, replies, actions, now)
    except Malformed:
        actions += session.close(CloseReason.UPSTREAM_MALFORMED)
    _go_on(session, replies, actions, now)
    return actions


def _take(session: "Session", replies: OwedReplies, actions: list[Action], now: float) -> None:
    """Take the complete replies at the start of the buffer, until a script waits or the turn is over."""
    reader = replies.reader
    framer = reader.framer
    assert framer is not None
    limit = _limit(session)
    first = len(actions)
    while replies.more:
        framer.answers(replies.owed[0].request if replies.owed else b"")
        found, end = framer.split(reader.buffer, reader.searched)
        if not found:
            reader.searched = len(reader.buffer)
            replies.more = framer.unfinished
            if replies.more and _turn_is_over(session, replies):
                return
            continue
        if framer.switches and not replies.may_switch:
            raise Malformed("what follows would be a stream, for which no request has asked")
        if _passes_all(session, replies, found, limit):
            actions.append(Send(bytes(reader.buffer[:end])))
            for _ in found:
                replies.settle()
                replies.reply_over(_waiting(session))
        else:
            end = _take_each(session, replies, found, end, actions, now)
        if session.phase != OPEN:
            return
        reader.consume(end)
        reader.searched = 0
        if framer.switches:
            replies.switch()
        replies.more = bool(reader.buffer)
        size = sum(len(action.data) for action in actions[first:] if type(action) is Send)
        if size >= OUTPUT_AHEAD or _pauses(session, replies) or _turn_is_over(session, replies):
            return


def _limit(session: "Session") -> int:
    assert session.plan.upstream is not None
    return session.plan.upstream.max_reply_bytes


def _turn_is_over(session: "Session", replies: OwedReplies) -> bool:
    replies.gave_way = session.out_of_time()
    return replies.gave_way


def _pauses(session: "Session", replies: OwedReplies) -> bool:
    """Whether something has to be done before the next reply is taken."""
    return session.phase != OPEN or not takes_replies(session) or _is_due(session, replies)


def _is_due(session: "Session", replies: OwedReplies) -> bool:
    """Whether an answer is due that has waited for the replies before it."""
    script = session.conversation.script
    return not replies.owed and script is not None and script.awaits is not None


def _passes_all(session: "Session", replies: OwedReplies, found: Sequence[bytes], limit: int) -> bool:
    """Whether nothing has to look at each of the replies."""
    plan = session.plan
    framer = replies.reader.framer
    if framer is not None and framer.has_history:
        return False
    observed = session.observer is not None or session.recorder is not None
    if observed or plan.on_reply.in_order or plan.relay_faults[1]:
        return False
    return len(found) <= len(replies.owed) and max(map(len, found)) <= limit


def _take_each(
    session: "Session",
    replies: OwedReplies,
    found: Sequence[bytes],
    end: int,
    actions: list[Action],
    now: float,
) -> int:
    """Take replies one by one; return where the next one begins."""
    reader, limit = replies.reader, _limit(session)
    framer, buffer = reader.framer, reader.buffer
    assert framer is not None
    begin = size = 0
    for number, reply in enumerate(found, 1):
        if len(reply) > limit:
            actions += session.close(CloseReason.UPSTREAM_TOO_LARGE)
            break
        behind = end if number == len(found) else framer.consumed(buffer, number)
        size += _take_one(session, replies, reply, bytes(buffer[begin:behind]), actions, now)
        begin = behind
        if size >= OUTPUT_AHEAD or _pauses(session, replies) or _turn_is_over(session, replies):
            break
    return begin


def _take_one(
    session: "Session", replies: OwedReplies, reply: bytes, received: bytes, actions: list[Action], now: float
) -> int:
    """Take one reply, with what its framing removes; return the number of bytes sent."""
    if not session.plan.on_reply.in_order and session.observer is None:
        return _pass_on(session, replies, received, actions, now)
    context = session.context
    interrupted = None if session.conversation.script is None else interrupt(session)
    owed = replies.owed[0] if replies.owed else None
    context.set_reply(reply, received, *((b"", 0) if owed is None else owed[:2]))
    selector = session.plan.on_reply.selector_for(context.state)
    rule = find(selector, reply, context)
    script = _search_in_parts(session, replies, now) if rule is SEARCHING else _script_of(session, replies, rule, now)
    size = play(session, context, script, actions, now)
    if session.conversation.script is None:
        session.active_at = now
        replies.reply_over(0 if interrupted is None else session.number)
    else:
        session.conversation.script.event = Event.REPLY
    if interrupted is not None:
        return_to(session, interrupted)
    return size


def _pass_on(session: "Session", replies: OwedReplies, received: bytes, actions: list[Action], now: float) -> int:
    """Pass one reply on where there are no rules on replies; return the number of bytes sent."""
    settled, recorder = None if replies.is_extra else replies.settle(), session.recorder
    session.active_at = now
    actions.append(Send(received))
    if recorder is not None and settled is not None:
        waits = session.conversation.script is not None
        if waits:
            recorder.interrupted()
        recorder.replied(settled.record, max(0.0, replies.heard_at - settled.since))
        recorder.played(actions, len(actions) - 1)
        if waits:
            recorder.continued()
    replies.reply_over(_waiting(session))
    return len(received)


def _waiting(session: "Session") -> int:
    """The number of the request whose script waits for replies; 0 if none does."""
    return 0 if session.conversation.script is None else session.number


def _search_in_parts(session: "Session", replies: OwedReplies, now: float) -> Iterator[Step]:
    """Search for a rule on a reply in parts: yields None between them, then the steps."""
    context = session.context
    rule = yield from search(session.plan.on_reply.selector_for(context.state), context.request, context)
    yield from _script_of(session, replies, rule, now)


def _script_of(session: "Session", replies: OwedReplies, rule: Rule | None, now: float) -> Iterator[Step]:
    """Count a reply by the rule that was found for it, and return what is done."""
    context = session.context
    if session.observer is not None:
        session.observer.rule_selected(Event.REPLY, session.plan.on_reply.in_order, context.request, rule, context)
    settled = None if replies.is_extra or (rule is not None and rule.extra) else replies.settle()
    if session.recorder is not None:
        if settled is not None:
            session.recorder.replied(settled.record, max(0.0, replies.heard_at - settled.since))
        elif rule is not None:
            session.recorder.event(Event.REPLY, rule, now, session)
    if rule is None:
        return iter((Send(context.received_reply),))
    session.metrics.matched(rule.cell)
    return script_of(session, rule, context)


def _take_rest(session: "Session", replies: OwedReplies, actions: list[Action], now: float) -> None:
    """Take what silence or the upstream's FIN completes; close if no reply will come of the rest."""
    reader = replies.reader
    framer, buffer = reader.framer, bytes(reader.buffer)
    assert framer is not None
    if not buffer:
        replies.quiet_at = inf
        return
    whole = replies.ended and framer.eof_completes
    if whole or now >= replies.quiet_at:
        replies.quiet_at = inf
        end = _take_each(session, replies, (buffer,), len(buffer), actions, now)
        if session.phase == OPEN:
            reader.consume(end)
            reader.searched = 0
    elif replies.ended:
        actions += session.close(CloseReason.UPSTREAM_MALFORMED)
    else:
        hopeless = reader.why_hopeless(framer, _limit(session))
        if hopeless is not None:
            actions += session.close(ENDS[hopeless])


def _go_on(session: "Session", replies: OwedReplies, actions: list[Action], now: float) -> None:
    """Continue what has waited for replies: a script, or the end."""
    script = session.conversation.script
    if session.phase != OPEN or session.turn_began is None:
        return
    if script is None and replies.leaving and not replies.owed:
        replies.leaving = False
        actions += leave(session, now)
    elif script is not None and script.awaits is not None and replies.end(script.awaits):
        actions += resume(session, now)
