"""The requests of a connection are framed, and each is answered by the rule that is found for it."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason, Send
from answerback.core.expressions import SearchTooLong
from answerback.core.framing import MAX_BATCH, Malformed
from answerback.core.plan import Event, Rule
from answerback.core.session.closing import CLOSING, HALF_CLOSED, NOTHING, OPEN, Closing
from answerback.core.session.conversation import Conversation
from answerback.core.session.forwarding import UNMATCHED, Forwarding, forward
from answerback.core.session.frames import receive
from answerback.core.session.incomplete import await_rest
from answerback.core.session.leaving import leave
from answerback.core.session.observer import Observer
from answerback.core.session.playing import play, script_of
from answerback.core.session.script import OUTPUT_AHEAD, SEARCHING, TURN_SECONDS, search, taken
from answerback.core.session.ticking import tick, tick_comes_next
from answerback.core.steps import FORWARD, Step

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
    leaves = script is None and closing is not None and (closing.eof or closing.draining)
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
        more = _answer_each(session, conversation, requests, end, matched, actions, now)
    else:
        more = _answer_or_forward(session, forwarding, requests, end, matched, actions, now)
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


def _answer_each(
    session: "Session",
    conversation: Conversation,
    requests: Sequence[bytes],
    end: int,
    matched: list[Rule | None],
    actions: list[Action],
    now: float,
) -> bool:
    """Answer requests, of which `matched` gets the rules; return whether one of them, or the turn, ends the work."""
    framer, limit = conversation.reader.framer, session.plan.limits.max_request_bytes
    owed = session.forwarding is not None and session.forwarding.owes  # replies of the upstream come first
    size = 0
    # Up to `MAX_BATCH` look-ups take less than 0.1 ms; the clock is read after anything slower.
    timed = len(requests) > 1 and conversation.selector.look_up is None
    for request in requests:
        if end > limit and len(request) > limit:
            actions += session.close(CloseReason.REQUEST_TOO_LARGE)
            break
        rule = _rule_on(session, conversation, request, now)
        matched.append(rule)
        if rule is not None:
            if rule.reply is not None and not owed:
                actions.append(rule.reply)
                size += len(rule.reply.data)
            else:
                size += _reply(session, conversation, rule, request, actions, now)
                closing = session.closing
                if conversation.script is not None or (closing is not None and closing.phase != OPEN):
                    return True
                if conversation.reader.framer is not framer:
                    return True
                timed = True
            if size >= OUTPUT_AHEAD:
                return True
        if timed and len(matched) < len(requests) and session.out_of_time():
            session.give_way()
            return True
    return False


def _answer_or_forward(
    session: "Session",
    forwarding: Forwarding,
    requests: Sequence[bytes],
    end: int,
    matched: list[Rule | None],
    actions: list[Action],
    now: float,
) -> bool:
    """Answer requests as `_answer_each` does, and forward those that no rule matches."""
    conversation = session.conversation
    conversation.started = now
    framer = conversation.reader.framer
    for index in range(len(requests)):
        forwarding.next(framer, len(requests), index, end)
        alone = requests[index : index + 1]
        if _answer_each(session, conversation, alone, end, matched, actions, now):
            if conversation.script is not None:
                forwarding.received(session)  # it will not be in the buffer any more
            return True
        if len(matched) == index:  # it is too large
            return False
        if matched[index] is None and not (forwarding.full or forwarding.must_wait_for(requests[index])):
            forward(session, forwarding, requests[index], actions, now)
            if session.recorder is not None:
                session.recorder.played(actions, len(actions))
        elif matched[index] is None:
            _reply(session, conversation, UNMATCHED, requests[index], actions, now)
            forwarding.received(session)
            return True
        if sum(len(action.data) for action in actions if type(action) is Send) >= OUTPUT_AHEAD:
            return True
        if index + 1 < len(requests) and session.out_of_time():
            session.give_way()
            return True
    return False


def _reply(
    session: "Session", conversation: Conversation, rule: Rule, request: bytes, actions: list[Action], now: float
) -> int:
    """Play the script of the rule on a request; return the number of bytes sent."""
    context = conversation.context or session.context
    if conversation.selector.look_up is not None:  # otherwise the search has set them, and its view may be in use
        context.request, context.number, context.shared_view = request, conversation.number, None
    if rule is SEARCHING:
        script = _search_in_parts(session, conversation, request, now)
    elif rule.only_step is not None and session.observer is None and session.forwarding is None:
        result = taken(rule.only_step, context)
        if type(result) is Send:
            actions.append(result)
            if session.recorder is not None:
                session.recorder.played(actions, len(actions) - 1)
            return len(result.data)
        script = iter((result,))
    else:
        script = script_of(session, rule, context)
    if session.forwarding is not None:
        script = session.forwarding.in_turn(rule, script)
    size = play(session, context, script, actions, now)
    if conversation.script is not None:
        conversation.script.event = Event.REQUEST
    return size


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


def _rule_on(session: "Session", conversation: Conversation, request: bytes, now: float) -> Rule | None:
    """Find the rule on a request, and count the match."""
    conversation.number += 1
    selector = conversation.selector
    if selector.look_up is not None:
        rule = selector.look_up(request)
    else:
        context = conversation.context or session.context
        context.request, context.number = request, conversation.number
        context.captures = context.shared_view = None
        cache = selector.rule_cache
        if cache is not None and request in cache:
            rule = cache[request]
        elif len(request) > selector.max_search_bytes:
            return SEARCHING
        else:
            try:
                rule = selector.search(request, context)
            except SearchTooLong:
                return SEARCHING
            if cache is not None:
                cache.store(request, rule)
    if rule is None:
        session.metrics.unmatched(1)
    else:
        session.metrics.requested(rule.cell, 1)
    if session.recorder is not None:
        session.recorder.matched(request, rule, conversation.number, now, session)
    if session.observer is not None:
        _observe_rule(session, session.observer, request, rule)
    return rule


def _observe_rule(session: "Session", observer: Observer, request: bytes, rule: Rule | None) -> None:
    """Report the rule on a request, and its constant reply."""
    context = session.context
    context.number = session.conversation.number
    observer.rule_selected(Event.REQUEST, session.plan.on_request.in_order, request, rule, context)
    if rule is not None and rule.reply is not None and not session.owes:
        observer.sent(rule.reply.data)


def _search_in_parts(session: "Session", conversation: Conversation, request: bytes, now: float) -> Iterator[Step]:
    """Search for a rule on a request in parts: yields None between them, then the steps."""
    rule = yield from search(conversation.selector, request, session.context)
    if session.observer is not None:
        rules = session.plan.on_request.in_order
        session.observer.rule_selected(Event.REQUEST, rules, request, rule, session.context)
    if rule is None:
        session.metrics.unmatched(1)
    else:
        session.metrics.requested(rule.cell, 1)
    if session.recorder is not None:
        session.recorder.matched(request, rule, conversation.number, now, session)
    if rule is not None:
        yield from script_of(session, rule, session.context)
    elif session.forwarding is not None:
        yield FORWARD


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
        leaves = closing.eof or closing.draining
        if leaves or reader.buffer or reader.framer is None or conversation.script is not None:
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
