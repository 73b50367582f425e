"""Shared by the tests of faults: a listener with faults, and its conversations."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

from answerback.core import faults, matching, steps
from answerback.core.framing import Line
from answerback.core.plan import Limits, ListenerPlan, Rule
from answerback.core.selection import Rules
from answerback.core.steps import StepResult, Wait
from tests.core.plans import template
from tests.core.playbook import Playbook, Somewhere

HELLO = (steps.send(b"hello, "), steps.send(b"world\n"))


def rule(*script: steps.Step, when: bytes | None = None, place: int = 0) -> Rule:
    matcher = None if when is None else matching.equals(when)
    return Rule("rule", place, script, matcher, when, has_faults=True)


ANSWERS = (
    rule(*HELLO, when=b"hello"),
    rule(steps.send(b"a"), steps.delay_fixed(1), steps.send(b"b"), steps.delay_fixed(1), steps.send(b"c"), when=b"abc"),
    rule(steps.send(b"bye\n"), steps.close(), when=b"quit"),
    rule(steps.close(), when=b"close"),
    rule(steps.reset(), when=b"reset"),
    rule(steps.discard(), when=b"nothing"),
    rule(steps.dribble(b"dribbled", size=4, gap=1), when=b"dribble"),
    rule(steps.receive(Line(keep_ending=False), "more"), steps.send(template("${vars.more}")), when=b"take"),
    rule(steps.echo()),
)


def fault(effect: faults.Effect, name: str = "it", place: int = 7, counter: int = 100, **when: Any) -> faults.Fault:
    return faults.Fault(name, place, effect, sequence_cell=counter, **when)


def plan(*effects: faults.Effect | faults.Fault, limits: Limits | None = None, **on: Rule) -> ListenerPlan:
    """A listener with these faults, one without more to say of it striking each time."""
    return ListenerPlan(
        "it",
        "",
        framing=Line(keep_ending=False),
        on_request=Rules(ANSWERS),
        limits=limits or Limits(),
        faults=tuple(
            each if isinstance(each, faults.Fault) else fault(each, f"faults[{index}]", 7 + index, 100 + 2 * index)
            for index, each in enumerate(effects)
        ),
        **{name: Rules([each]) for name, each in on.items()},  # type: ignore[arg-type]
    )


def conversation(*effects: faults.Effect | faults.Fault, seed: int = 1) -> Playbook:
    return Playbook(plan(*effects), connection=Somewhere(chance=Random(seed)))


def without_faults(target: ListenerPlan) -> ListenerPlan:
    return replace(target, faults=())


def comes_of(effect: faults.Effect, *reply: StepResult, seed: int = 1) -> list[StepResult]:
    """What an effect makes of a reply, from the first thing on that it touches; times to the nanosecond."""
    return rounded(effect.transform(iter(reply), faults.FaultState(Random(seed))))


def rounded(reply: Iterable[StepResult]) -> list[StepResult]:
    return [Wait(round(each.seconds, 9)) if isinstance(each, Wait) else each for each in reply]
