"""Plans and rules for sessions without a network."""

from answerback.core import matching, steps
from answerback.core.bounded_counter import CountedFor
from answerback.core.expressions import Template, Value
from answerback.core.framing import Framing, Line
from answerback.core.plan import Limits, ListenerPlan, Replies, Rule
from answerback.core.selection import Rules
from answerback.language.expressions import Scope, Type, compile_expression, compile_template

LINE = Line(keep_ending=False)


def rule(
    *taken: steps.Step,
    when: bytes | None = None,
    in_states: tuple[str, ...] = (),
    times: int = 0,
    per: float = 0.0,
    replies: Replies | None = None,
    scope: CountedFor = CountedFor.LISTENER,
    name: str = "rule",
    place: int = 0,
) -> Rule:
    matcher = None if when is None else matching.equals(when)
    return Rule(
        name,
        place,
        taken,
        matcher,
        when,
        in_states=in_states,
        times=times,
        window_seconds=per,
        scope=scope,
        replies=replies,
        sequence_cell=place,
    )


def plan(
    *rules: Rule,
    framing: Framing = LINE,
    limits: Limits | None = None,
    on_connect: Rules | None = None,
    on_idle: Rules | None = None,
    on_eof: Rules | None = None,
    on_drain: Rules | None = None,
) -> ListenerPlan:
    return ListenerPlan(
        "it",
        "",
        framing=framing,
        on_request=Rules(rules),
        on_connect=on_connect or Rules(),
        on_idle=on_idle or Rules(),
        on_eof=on_eof or Rules(),
        on_drain=on_drain or Rules(),
        limits=limits or Limits(),
    )


def say(text: bytes | Template) -> steps.Step:
    return steps.send(text)


def expression(text: str, kind: Type = Type.BYTES) -> Value:
    return compile_expression(text, kind, Scope())


def size(text: str) -> steps.Size:
    return expression(text, Type.INT).of


def template(text: str) -> Template:
    return compile_template(text, Scope())
