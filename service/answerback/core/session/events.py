"""What rules do on events that are not requests: a new connection, silence, the peer's FIN, a drain.

Those on TICK have clocks: see `ticking`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason
from answerback.core.expressions import SearchTooLong
from answerback.core.faults import apply_to_close
from answerback.core.plan import Event, Rule
from answerback.core.selection import Rules, Selector
from answerback.core.session.closing import HALF_CLOSED
from answerback.core.session.playing import play, return_to, script_of
from answerback.core.session.script import SEARCHING, Interrupted
from answerback.core.steps import Step

if TYPE_CHECKING:
    from answerback.core.session.session import Session


def begin(
    session: "Session",
    event: Event,
    rules: Rules,
    actions: list[Action],
    now: float,
    otherwise: CloseReason | None = None,
) -> bool:
    """Handle an event that is not a request: play the first matching rule's script; False if there is none.

    Also True if the search takes long; if that then finds no rule, the connection is closed for the reason
    `otherwise`.
    """
    if not rules.in_order:
        return False
    context = session.context
    context.request, context.captures, context.shared_view = b"", None, None
    context.number = session.conversation.number
    selector = rules.selector_for(context.state)
    try:
        rule = SEARCHING if selector.max_search_bytes < 0 else selector.search(b"", context)
    except SearchTooLong:
        rule = SEARCHING
    if rule is SEARCHING:
        script = _search_in_parts(session, event, rules, selector, otherwise, now)
    else:
        _found(session, event, rules, rule, now)
        if rule is None:
            return False
        script = script_of(session, rule, context)
    play(session, context, script, actions, now)
    if session.conversation.script is None or session.conversation.script.receive is not None:
        session.awaits_flush = True  # what follows is done, or received, from there
    return True


def _search_in_parts(
    session: "Session", event: Event, rules: Rules, selector: Selector, otherwise: CloseReason | None, now: float
) -> Iterator[Step]:
    """Search for a rule on an event in parts: yields None between them, then the steps."""
    rule = yield from selector.search_in_parts(b"", session.context)
    _found(session, event, rules, rule, now)
    if rule is not None:
        yield from script_of(session, rule, session.context)
    elif otherwise is not None:
        yield from apply_to_close(session.plan.faults, otherwise, session.context)


def _found(session: "Session", event: Event, rules: Rules, rule: Rule | None, now: float) -> None:
    """Count an event by the rule that was found for it."""
    if rule is not None:
        session.metrics.matched(rule.cell)
        if session.recorder is not None:
            session.recorder.event(event, rule, now, session)
    if session.observer is not None:
        session.observer.rule_selected(event, rules.in_order, b"", rule, session.context)


def idle(session: "Session", now: float) -> Sequence[Action]:
    """The idle timeout has passed: apply the rules on IDLE, or close."""
    actions: list[Action] = []
    session.active_at = now
    reason = CloseReason.IDLE_TIMEOUT
    if session.conversation.receiving:
        acts = _interrupt(session, actions, now)
    else:
        acts = begin(session, Event.IDLE, session.plan.on_idle, actions, now, reason)
    if not acts:
        actions += close_after_faults(session, reason, now)
    return actions


def _interrupt(session: "Session", actions: list[Action], now: float) -> bool:
    """Play the script of a rule on IDLE while another script waits for a frame; False if no rule acts."""
    context = session.context
    interrupted = Interrupted(session.conversation.take_script(), context.request, context.captures)
    if session.recorder is not None:
        session.recorder.interrupted()
    rules = session.plan.on_idle_in_script
    acts = begin(session, Event.IDLE, rules, actions, now, CloseReason.IDLE_TIMEOUT)
    script = session.conversation.script
    if script is not None:
        script.interrupted = interrupted
    elif session.phase <= HALF_CLOSED:
        return_to(session, interrupted)
    return acts


def close_after_faults(session: "Session", reason: CloseReason, now: float) -> Sequence[Action]:
    """Close in order when nothing is owed; a fault may delay it."""
    if not session.plan.faults:
        return session.close(reason)
    actions: list[Action] = []
    session.conversation.script = None
    context = session.context
    play(session, context, apply_to_close(session.plan.faults, reason, context), actions, now)
    return actions
