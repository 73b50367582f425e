"""What rules do on events that are not requests: a new connection, silence, the peer's FIN, a drain.

Those on TICK have clocks: see `ticking`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from answerback.core.actions import Action, CloseReason
from answerback.core.context import RequestContext
from answerback.core.faults import apply_to_close
from answerback.core.plan import Event, Rule
from answerback.core.selection import Rules, Selector
from answerback.core.session.playing import interrupt, needs_no_script, play, return_to, say_last, script_of
from answerback.core.session.script import SEARCHING, find
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
    context = session.conversation.context
    selector = rules.at_first if context is None else rules.selector_for(context.state)
    if selector.look_up is None:
        rule = find(selector, b"", _context_of(session))
    else:
        rule = selector.look_up(b"")
        if rule is not None and rule.last_reply is not None and needs_no_script(session):
            _found(session, event, rules, rule, now)
            say_last(session, rule.last_reply, actions)
            session.awaits_flush = True
            return True
        _context_of(session)
    context = session.context
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


def _context_of(session: "Session") -> RequestContext:
    """The context of an event, in which there is no request."""
    context = session.context
    context.request, context.captures, context.shared_view = b"", None, None
    context.number = session.conversation.number
    return context


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


def upstream_down(session: "Session", error: str, now: float) -> Sequence[Action] | None:
    """No connection to the upstream could be made: drop the script that needs it, and apply the event's rules.

    Returns None if no rule acts.
    """
    actions: list[Action] = []
    script = session.conversation.script
    session.context.upstream_error = error
    rules, otherwise = session.plan.on_upstream_down, CloseReason.UPSTREAM_DOWN
    if script is not None and script.awaits is not None and not script.awaits.own:  # it has forwarded nothing
        return actions if _between(session, Event.UPSTREAM_DOWN, rules, actions, now, otherwise) else None
    session.conversation.script = None
    if script is not None and script.signal and session.connection is not None:
        session.connection.forgo_signal()
    return actions if begin(session, Event.UPSTREAM_DOWN, rules, actions, now, otherwise) else None


def idle(session: "Session", now: float) -> Sequence[Action]:
    """The idle timeout has passed: apply the rules on IDLE, or close."""
    actions: list[Action] = []
    session.active_at = now
    reason = CloseReason.IDLE_TIMEOUT
    if session.conversation.script is not None:
        acts = _between(session, Event.IDLE, session.plan.on_idle_in_script, actions, now, reason)
    else:
        acts = begin(session, Event.IDLE, session.plan.on_idle, actions, now, reason)
    if not acts:
        actions += close_after_faults(session, reason, now)
    return actions


def _between(
    session: "Session", event: Event, rules: Rules, actions: list[Action], now: float, otherwise: CloseReason
) -> bool:
    """Play the script of a rule on an event while another script waits for the peer; False if no rule acts."""
    interrupted = interrupt(session)
    acts = begin(session, event, rules, actions, now, otherwise)
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
