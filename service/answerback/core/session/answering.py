"""Each request of those that were framed is answered by the rule that is found for it, or forwarded."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason, Send
from answerback.core.expressions import SearchTooLong
from answerback.core.plan import Event, Rule
from answerback.core.session.closing import OPEN
from answerback.core.session.conversation import Conversation
from answerback.core.session.forwarding import UNMATCHED, Forwarding, forward
from answerback.core.session.observer import Observer
from answerback.core.session.playing import needs_no_script, play, say_last, script_of
from answerback.core.session.script import OUTPUT_AHEAD, SEARCHING, search, taken
from answerback.core.steps import FORWARD, Step

if TYPE_CHECKING:
    from answerback.core.session.session import Session

# Rule: code that runs for every request is inline here; rare cases have functions of their own.


def answer_each(
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
    timed = conversation.selector.look_up is None
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


def answer_or_forward(
    session: "Session",
    forwarding: Forwarding,
    requests: Sequence[bytes],
    end: int,
    matched: list[Rule | None],
    actions: list[Action],
    now: float,
) -> bool:
    """Answer requests as `answer_each` does, and forward those that no rule matches."""
    conversation = session.conversation
    conversation.started = now
    framer = conversation.reader.framer
    for index in range(len(requests)):
        forwarding.next(framer, len(requests), index, end)
        alone = requests[index : index + 1]
        if answer_each(session, conversation, alone, end, matched, actions, now):
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
    if rule.last_reply is not None and session.forwarding is None and needs_no_script(session):
        say_last(session, rule.last_reply, actions)
        return len(rule.last_reply.data)
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
