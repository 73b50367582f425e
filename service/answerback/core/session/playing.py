"""The steps of a rule are taken, and the session does what results.

A script that cannot go on at once is left in `Conversation.script`, until `resume`.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from math import inf
from types import GeneratorType
from typing import TYPE_CHECKING

from answerback.core.actions import Action, BeginTls, CloseReason, HalfClose, Send
from answerback.core.context import RequestContext
from answerback.core.expectation import Unexpected
from answerback.core.expressions import EvaluationError
from answerback.core.faults import apply_all
from answerback.core.plan import Event, Rule
from answerback.core.session.closing import HALF_CLOSED, NOTHING, OPEN, SERVER_CLOSE, Closing
from answerback.core.session.forwarding import forward
from answerback.core.session.script import FREE_STEPS, OUTPUT_AHEAD, Interrupted, ScriptRun, resolve
from answerback.core.session.writing import WRITES, carry_out
from answerback.core.steps import (
    AWAIT_OWN_REPLY,
    AwaitReplies,
    AwaitSignal,
    EndSession,
    EnterState,
    ForwardRequest,
    GiveSignal,
    Hang,
    Receive,
    SetFraming,
    StartTls,
    Step,
    StepResult,
    Wait,
    failed,
)

if TYPE_CHECKING:
    from answerback.core.session.session import Session

# Rule: this is the only place where steps are taken: a fault, a search or a frame in between yields steps too.


def script_of(session: "Session", rule: Rule, context: RequestContext) -> Iterator[Step]:
    """Return the steps of a rule that has matched."""
    script = context.chosen_steps if rule.counted else rule.steps
    faults = session.plan.faults
    if faults:
        return apply_all(faults, resolve(script, context, session.observer), context, rule.name)
    return iter(script) if session.observer is None else resolve(script, context, session.observer)


def needs_no_script(session: "Session") -> bool:
    """Whether `say_last` does the same as the script of such a rule."""
    return session.observer is None and (session.closing is None or session.phase == OPEN)


def say_last(session: "Session", reply: Send, actions: list[Action]) -> None:
    """Send the reply of a rule that has `last_reply`, and close in order."""
    first = len(actions)
    actions += (reply, *session.close(SERVER_CLOSE))
    if session.recorder is not None:
        session.recorder.played(actions, first)


def play(session: "Session", context: RequestContext, script: Iterator[Step], actions: list[Action], now: float) -> int:
    """See `_take_steps`. What the script sends is recorded."""
    recorder = session.recorder
    if recorder is None:
        return _take_steps(session, context, script, actions, now)
    first = len(actions)
    size = _take_steps(session, context, script, actions, now)
    if context.applied_faults:
        recorder.applied(context.applied_faults)
        context.applied_faults = ()
    if session.conversation.script is None:
        recorder.played(actions, first)
    else:
        recorder.suspended(actions, first)
    return size


def _take_steps(
    session: "Session", context: RequestContext, script: Iterator[Step], actions: list[Action], now: float
) -> int:
    """Take steps until one waits, the conversation ends, or the turn is over; return the number of bytes sent.

    `Conversation.script` is the rest then.
    """
    size, free = 0, FREE_STEPS
    for step in script:
        try:
            result = step(context) if callable(step) else step
        except EvaluationError as problem:
            result = failed(problem)
        if type(result) is Send:
            if session.closing is None or session.closing.phase == OPEN:
                actions.append(result)
                size += len(result.data)
                if session.observer is not None:
                    session.observer.sent(result.data)
        elif type(result) is EndSession:  # the end of every connection of one reply
            actions += _end(session, result)
            break
        elif type(result) is GeneratorType:
            return size + _take_steps(session, context, chain(result, resolve(script, context, None)), actions, now)
        elif result is not None and not _carry_out(session, context, result, script, actions, now):
            break
        free -= 1
        if free < 0 and (size >= OUTPUT_AHEAD or session.out_of_time()):
            session.suspend(ScriptRun(script, inf))
            session.give_way()
            break
    return size


def _carry_out(
    session: "Session",
    context: RequestContext,
    result: StepResult,
    script: Iterator[Step],
    actions: list[Action],
    now: float,
) -> bool:
    """Carry out a step result that is not a plain send; return whether the next step follows at once."""
    write = WRITES.get(type(result))
    if write is not None:  # the commonest
        return carry_out(session, context, write, result, actions)
    match result:
        case Unexpected():
            actions += _end_unexpectedly(session, context, result)
            return False
        case ForwardRequest() | AwaitReplies():
            return _await_replies(session, context, result, script, actions, now)
        case Wait() | AwaitSignal() | Receive() | Hang():
            actions += _suspend(session, context, result, script, now)
            return False
        case StartTls():
            return _start_tls(session, script, actions)
        case GiveSignal(signal) if session.connection is not None:
            session.connection.give_signal(signal)
        case SetFraming(framing, once):
            session.conversation.reader.set_framing(framing, once=once)
        case EnterState(state):
            session.conversation.enter_state(session, state)
        case HalfClose():
            actions += session.own_closing().half_close(session)
    return True


def _await_replies(
    session: "Session",
    context: RequestContext,
    result: ForwardRequest | AwaitReplies,
    script: Iterator[Step],
    actions: list[Action],
    now: float,
) -> bool:
    """Forward the request, or only wait for replies of the upstream; return whether none has to be waited for."""
    forwarding = session.forwarding
    assert forwarding is not None, "the listener has an upstream"
    if isinstance(result, ForwardRequest):
        forward(session, forwarding, context.request, actions, now)
        if not (result.waits or forwarding.must_wait_for(context.request)):
            return True
        result = AWAIT_OWN_REPLY
    if forwarding.replies is None or forwarding.replies.end(result):
        return True
    actions += _suspend(session, context, result, script, now)
    return False


def _suspend(
    session: "Session",
    context: RequestContext,
    wait: Wait | AwaitSignal | AwaitReplies | Receive | Hang,
    script: Iterator[Step],
    now: float,
) -> Sequence[Action]:
    """Leave the rest of the script until what it waits for has come."""
    context.shared_view = None
    match wait:
        case Wait(seconds):
            session.metrics.delayed(seconds)
            if session.recorder is not None:
                session.recorder.delayed(seconds)
            session.suspend(ScriptRun(script, now + seconds))
        case Receive():
            session.conversation.frame_anew()
            session.suspend(ScriptRun(script, inf, wait))
        case AwaitReplies():
            session.suspend(ScriptRun(script, inf, awaits=wait))
        case AwaitSignal(signal, timeout):
            return _await_signal(session, signal, ScriptRun(script, now + timeout, signal=signal))
        case Hang():
            return _hang(session, wait, now)
    return NOTHING


def _await_signal(session: "Session", signal: str, script: ScriptRun) -> Sequence[Action]:
    """Wait for a signal, unless a drain has begun: it would not wait for that."""
    if session.closing is not None and session.closing.draining:
        return session.close(CloseReason.DRAIN)
    session.suspend(script)
    if session.connection is not None:
        session.connection.await_signal(signal)
    return NOTHING


def _start_tls(session: "Session", script: Iterator[Step], actions: list[Action]) -> bool:
    """Begin TLS, unless the connection is older than the listener's `tls`; return whether to go on at once."""
    if session.observer is not None:  # `explain` plays what is inside
        return True
    if session.connection is None or session.connection.tls is None:
        actions += session.close(CloseReason.REPLY_FAILED)
        return False
    session.suspend(ScriptRun(script, inf))
    actions.append(BeginTls())
    return False


def _end(session: "Session", end: EndSession) -> Sequence[Action]:
    """End the conversation, as a step says."""
    closing = session.closing
    if closing is None:  # as in `own_closing`, without another call
        closing = session.closing = Closing()
    closing.cut = end.cut
    return closing.reset(session) if end.by_reset else closing.close(session, end.reason)


def _end_unexpectedly(session: "Session", context: RequestContext, end: Unexpected) -> Sequence[Action]:
    """End the conversation, because a frame is not what the script expects."""
    expectation, frame = end.expectation, end.frame
    session.metrics.unexpected_frame(expectation.cell)
    if session.observer is not None:
        session.observer.unexpected(frame, expectation.mismatch(frame, context))
    if session.connection is not None:
        session.connection.unexpected(expectation.rule, lambda: expectation.mismatch(frame, context))
    return session.close(CloseReason.UNEXPECTED)


def _hang(session: "Session", hang: Hang, now: float) -> Sequence[Action]:
    """Send nothing more, unless the peer has left already, or a drain has begun."""
    if session.closing is not None and session.closing.draining:
        return session.close(CloseReason.DRAIN)
    if session.fin_noted and not hang.ignore_fin:
        return session.close(CloseReason.PEER_GAVE_UP)
    session.suspend(ScriptRun.hanging(hang, now, session.plan.limits.lifetime))
    return NOTHING


def resume(session: "Session", now: float) -> Sequence[Action]:
    """Continue the script in progress."""
    actions: list[Action] = []
    before = session.conversation.take_script()
    if before.signal and session.connection is not None:  # it was not given in time
        session.connection.forgo_signal()
    play(session, session.context, before.steps, actions, now)
    script = session.conversation.script
    if script is None:
        _note_over(session, before)
        if before.interrupted is not None:
            return_to(session, before.interrupted)
    else:
        script.event = before.event
        script.interrupted = before.interrupted
    if script is None or script.receive is not None:
        if before.event is not Event.TICK:
            session.active_at = now
        session.awaits_flush = True  # the rest is processed, and timed, from there
    return actions


def _note_over(session: "Session", script: ScriptRun) -> None:
    """A script is over, and so is the request that it answers, unless the upstream owes a reply to that."""
    conversation, forwarding = session.conversation, session.forwarding
    if script.event is Event.REQUEST:
        conversation.answered += 1
        if forwarding is not None:
            forwarding.note_over(conversation, conversation.number - 1)
    elif script.event is Event.REPLY and forwarding is not None and forwarding.replies is not None:
        forwarding.replies.reply_over(0 if script.interrupted is None else conversation.number)


def interrupt(session: "Session") -> Interrupted:
    """Let the script that waits for the peer, or the upstream, wait on while another one is played."""
    context = session.context
    interrupted = Interrupted(session.conversation.take_script(), context.request, context.captures, context.number)
    if session.recorder is not None:
        session.recorder.interrupted()
    return interrupted


def return_to(session: "Session", interrupted: Interrupted) -> None:
    """The script before waits on, as soon as the one that came in between is over."""
    script = session.conversation.script
    if script is not None:
        script.interrupted = interrupted
        return
    if session.phase > HALF_CLOSED:
        return
    context = session.context
    session.conversation.script, context.request, context.captures, context.number = interrupted
    session.awaits_flush = True
    if session.recorder is not None:
        session.recorder.continued()
