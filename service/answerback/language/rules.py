"""Rules: what may be wrong with them, and how they are compiled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from answerback.core.plan import Replies, Rule, WhenExhausted
from answerback.language import bounds, durations
from answerback.language.contents import Files
from answerback.language.context import Checking, Compiling
from answerback.language.enums import counted_for
from answerback.language.expressions import Scope
from answerback.language.fields import Field, Time, Where, describe
from answerback.language.matching import MATCHES, captures_of, check_match, compile_match
from answerback.language.problems import Problems
from answerback.language.requests import check_searches
from answerback.language.steps import STEPS, check_script, check_state_name, compile_script
from answerback.v1 import config_pb2 as v1

LEAST_INTERVAL: Final = 10_000_000  # nanoseconds: a tick costs some 20 us

THEN: Mapping[int, WhenExhausted] = {
    v1.Replies.THEN_CYCLE: WhenExhausted.CYCLE,
    v1.Replies.THEN_NEXT_RULE: WhenExhausted.NEXT_RULE,
    v1.Replies.THEN_RANDOM: WhenExhausted.RANDOM,
}

RULE: Final = describe(
    v1.Rule,
    Where.RULE,
    name=Field(
        "name: greeting",
        default="`rules[N]`",
        words="at most 128 printable characters; unique in its listener",
    ),
    event=Field("event: CONNECT", default="`REQUEST`"),
    when=Field(
        "when: PING", default="every request", words="for an event other than `REQUEST`: only `expr` and `peer`"
    ),
    in_states=Field(
        '{in_states: ["", ready], do: [state: ready]}',
        default="every state",
        words="at most 128 characters each; at most 1000 in a listener, and at most 500,000 states times rules",
    ),
    times=Field("times: 2", default="`0`: no limit"),
    per=Time(
        "{times: 2, per: 10s}",
        default="no window",
        zero="must be more than 0: the window in which matches are counted",
        words="only with `times` or `replies`",
    ),
    interval=Time(
        r'{event: TICK, interval: 200ms, do: [send: "beat\n"]}',
        default="none",
        words="at least 10ms; only with `TICK`, and required there",
        zero="at least 10ms",
    ),
    scope=Field("{scope: PEER, times: 1}", default="`LISTENER`"),
    extra=Field(
        "{event: REPLY, when: {prefix: '>'}, extra: true, do: [forward]}",
        words="only with `REPLY`",
    ),
    do=Field(r'do: [send: "+PONG\r\n", close]', default="no step"),
    replies=Field(r'replies: {of: [[send: "busy\n"], [send: "ok\n"]]}', default="none", words="in place of `do`"),
)
REPLIES: Final = describe(
    v1.Replies,
    Where.RULE,
    of=Field(r'replies: {of: [[send: "busy\n"], [reset]]}', words="at least one"),
    then=Field(r'replies: {of: [[send: "a\n"], [send: "b\n"]], then: CYCLE}', default="`REPEAT_LAST`"),
    weights=Field(
        "replies: {of: [[echo], [reset]], then: RANDOM, weights: [99, 1]}",
        default="equal weights",
        words="0 or more each, one for each script; only with `RANDOM`",
    ),
)
SCRIPT: Final = describe(v1.Script, Where.RULE, do=Field("replies: {of: [{do: [echo, close]}]}", default="no step"))


@dataclass(frozen=True, slots=True)
class RuleCells:
    """Where a rule is counted."""

    matches: int
    sequence: int = 0
    """Of `times` and `replies`; 0 for a rule without."""
    unexpected: int = 0
    """Of received frames that it did not expect; 0 for a rule that expects none."""


def rule_key(rule: v1.Rule, index: int) -> str:
    """The name under which a rule is counted: its own, or its place among the listener's rules."""
    return rule.name or f"rules[{index}]"


def event_without_request(rule: v1.Rule) -> str | None:
    """The word of an event that brings no request; None for REQUEST and REPLY, and for what is no event."""
    if rule.event in {v1.EVENT_UNSPECIFIED, v1.EVENT_REQUEST, v1.EVENT_REPLY} or rule.event not in v1.Event.values():
        return None
    return v1.Event.Name(rule.event).removeprefix("EVENT_")


def scope_of_rule(rule: v1.Rule, name: str, shared: Scope) -> Scope:
    """The names that one rule can use; `shared`: those of all rules of its listener."""
    if rule.event == v1.EVENT_REPLY:
        return replace(shared, rule=name, of_reply=True, fields=shared.reply_fields)
    return replace(shared, rule=name, event=event_without_request(rule))


def scripts(rule: v1.Rule, path: str) -> Iterator[tuple[str, Sequence[v1.Step]]]:
    """The steps of a rule, script by script, each with the path of its list."""
    yield f"{path}.do", rule.do
    for index, script in enumerate(rule.replies.of):
        yield f"{path}.replies.of[{index}].do", script.do


def expects(rule: v1.Rule) -> bool:
    """Whether its scripts compare a received frame with what they expect."""
    chosen = (STEPS.chosen(step) for _, script in scripts(rule, "") for step in script if STEPS.of(step))
    return any(kind.expects(given) for kind, given in chosen)


def stands_alone(rule: v1.Rule) -> bool:
    """Whether its scripts hold only steps that need no conversation of their own."""
    return all(not other_steps(script) for _, script in scripts(rule, ""))


def other_steps(script: Sequence[v1.Step]) -> list[int]:
    """The places of the steps that need a conversation of their own."""
    kinds = [STEPS.of(step) for step in script]
    return [index for index, kind in enumerate(kinds) if kind is not None and not kind.stands_alone]


def check_rule(rule: v1.Rule, path: str, files: Files, problems: Problems, *, longest: int, scope: Scope) -> None:
    """Report everything that is wrong with a rule, but for its name.

    `longest`: the bytes of the longest request or reply that it may see. `scope`: the names that it can use.
    """
    bounds.enum(v1.Event.DESCRIPTOR, rule.event, f"{path}.event", problems)
    bounds.enum(v1.Scope.DESCRIPTOR, rule.scope, f"{path}.scope", problems)
    asking = Checking(problems, files, scope)
    checking = asking.knowing(captures_of(rule.when))
    for index, state in enumerate(rule.in_states):
        check_state_name(state, f"{path}.in_states[{index}]", checking)
    if rule.HasField("when"):
        check_match(rule.when, f"{path}.when", asking)
    if rule.HasField("per"):
        RULE.fields["per"].check(rule.per, f"{path}.per", checking)
        if not rule.times and not rule.HasField("replies"):
            problems.add(f"{path}.per", "only with `times` or `replies`: they are what is counted in each window")
    _check_interval(rule, path, checking)
    if rule.extra and rule.event != v1.EVENT_REPLY:
        problems.add(f"{path}.extra", "only rules on REPLY have it: write event: REPLY")
    if rule.do and rule.HasField("replies"):
        problems.add(f"{path}.replies", "only one of do and replies can be given")
    for here, script in scripts(rule, path):
        check_script(script, here, checking)
        if rule.event == v1.EVENT_LIMIT:
            for index in other_steps(script):
                checking.add(f"{here}[{index}]", "a rule on LIMIT may only send, close and reset")
    check_searches(rule, path, longest, problems)
    _check_then(rule.replies, f"{path}.replies", problems)


def _check_interval(rule: v1.Rule, path: str, checking: Checking) -> None:
    at = f"{path}.interval"
    if rule.event != v1.EVENT_TICK:
        if rule.HasField("interval"):
            checking.add(at, "only rules on TICK have one: write event: TICK")
    elif not rule.HasField("interval"):
        checking.add(at, "missing: a rule on TICK needs one, like 200ms")
    else:
        RULE.fields["interval"].check(rule.interval, at, checking)
        if 0 < durations.nanoseconds(rule.interval) < LEAST_INTERVAL:
            checking.add(at, f"must be at least 10ms, not {durations.written(rule.interval)}")


def _check_then(replies: v1.Replies, path: str, problems: Problems) -> None:
    bounds.enum(v1.Replies.Then.DESCRIPTOR, replies.then, f"{path}.then", problems)
    if not replies.weights:
        return
    at = f"{path}.weights"
    if replies.then != v1.Replies.THEN_RANDOM:
        problems.add(at, "only `then: RANDOM` goes by weight")
    if len(replies.weights) != len(replies.of):
        problems.add(at, f"{len(replies.weights)} weights, for {len(replies.of)} replies")
    wrong = [index for index, weight in enumerate(replies.weights) if not (isfinite(weight) and weight >= 0)]
    for index in wrong:
        problems.add(f"{at}[{index}]", f"must be a number of 0 or more, not {replies.weights[index]}")
    if not wrong and not 0 < sum(replies.weights) < float("inf"):
        problems.add(at, "at least one is more than 0, and their sum is a number")


def compile_rule(rule: v1.Rule, name: str, cells: RuleCells, files: Files, *, faulted: bool, scope: Scope) -> Rule:
    """A rule that is counted under this name, in these cells. Raises ValueError.

    `faulted`: whether the listener has faults for it.
    """
    asking = Compiling(files, scope_of_rule(rule, name, scope), unexpected_cell=cells.unexpected)
    compiling = asking.knowing(captures_of(rule.when))
    kind, given = MATCHES.chosen(rule.when) if rule.HasField("when") else (None, None)
    return Rule(
        name=name,
        cell=cells.matches,
        steps=compile_script(rule.do, compiling),
        matches=None if kind is None else compile_match(rule.when, asking),
        equals=None if kind is None else kind.exact(given, asking),
        pattern=None if kind is None else kind.pattern(given),
        in_states=tuple(rule.in_states),
        times=rule.times,
        window_seconds=durations.seconds(rule.per),
        sequence_cell=cells.sequence,
        has_faults=faulted,
        extra=rule.extra,
        scope=counted_for(rule.scope),
        replies=_compile_replies(rule.replies, compiling) if rule.HasField("replies") else None,
    )


def _compile_replies(replies: v1.Replies, compiling: Compiling) -> Replies:
    if not replies.of:
        raise ValueError("there are no replies")
    return Replies(
        replies=tuple(compile_script(script.do, compiling) for script in replies.of),
        then=THEN.get(replies.then, WhenExhausted.REPEAT_LAST),
        weights=tuple(replies.weights),
    )
