"""Rules to the core's: what they match, and what they do."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from answerback.config import durations, payloads
from answerback.config.captures import Captures, captures_of
from answerback.config.compile_delays import delay_of
from answerback.config.compile_framing import framing_of
from answerback.config.compile_matches import compile_match
from answerback.core import matching, steps, templates
from answerback.core.delays import Fixed
from answerback.core.plan import Replies, Rule, Then
from answerback.v1 import config_pb2 as v1

# Rule: one step: one method or one row.

_PLAIN_STEPS: Mapping[str, Callable[[], steps.Step]] = {
    "echo": steps.echo,
    "discard": steps.discard,
    "close": steps.close,
    "half_close": steps.half_close,
    "reset": steps.reset,
    "hold": steps.hold,
}
_THEN = {
    v1.Replies.THEN_CYCLE: Then.CYCLE,
    v1.Replies.THEN_NEXT_RULE: Then.NEXT_RULE,
    v1.Replies.THEN_RANDOM: Then.RANDOM,
}


def compile_rule(
    rule: v1.Rule, name: str, place: int, counter: int, files: Mapping[str, bytes], *, faulted: bool
) -> Rule:
    """A rule whose matches are counted under this name, at this place, its turns at `counter`. Raises ValueError.

    `faulted`: whether the listener has faults.
    """
    return _Compiler(rule, files).rule(name, place, counter, faulted)


class _Compiler:
    """One rule being compiled."""

    def __init__(self, rule: v1.Rule, files: Mapping[str, bytes]) -> None:
        self._rule = rule
        self._files = files

    def rule(self, name: str, place: int, counter: int, faulted: bool) -> Rule:
        rule = self._rule
        exact = rule.when.WhichOneof("kind") == "equals" and not rule.when.equals.ignore_case
        return Rule(
            name=name,
            place=place,
            steps=self._script(rule.do),
            matches=compile_match(rule.when, self._files, matching) if rule.HasField("when") else None,
            equals=payloads.decode(rule.when.equals, self._files) if exact else None,
            pattern=rule.when.regex if rule.when.WhichOneof("kind") == "regex" else None,
            in_states=tuple(rule.in_states),
            times=rule.times,
            counter=counter,
            faulted=faulted,
            per_connection=rule.scope == v1.SCOPE_CONNECTION,
            replies=self._replies(rule.replies) if rule.HasField("replies") else None,
        )

    def _replies(self, replies: v1.Replies) -> Replies:
        if not replies.of:
            raise ValueError("there are no replies")
        return Replies(
            of=tuple(self._script(script.do) for script in replies.of),
            then=_THEN.get(replies.then, Then.HOLD),
            weights=tuple(replies.weights),
        )

    # ── Steps ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _script(self, script: Iterable[v1.Step]) -> tuple[steps.Step, ...]:
        return tuple(self._step(step) for step in script)

    def _step(self, step: v1.Step) -> steps.Step:
        kind: str = step.WhichOneof("kind") or ""
        if kind in _PLAIN_STEPS:
            return _PLAIN_STEPS[kind]()
        compiles: Callable[[v1.Step], steps.Step] | None = getattr(self, f"_step_{kind}", None)
        if compiles is None:
            raise ValueError("a step says nothing")
        return compiles(step)

    def _step_send(self, step: v1.Step) -> steps.Step:
        return steps.send(self._content(step.send))

    def _step_delay(self, step: v1.Step) -> steps.Step:
        delay = delay_of(step.delay)
        return steps.delay_fixed(delay.seconds) if isinstance(delay, Fixed) else steps.delay_drawn(delay)

    def _step_dribble(self, step: v1.Step) -> steps.Step:
        given = step.dribble
        if not given.chunks and not given.size:
            raise ValueError("a dribble has no pieces")
        return steps.dribble(
            self._content(given.payload), chunks=given.chunks, size=given.size, gap=durations.seconds(given.gap)
        )

    def _step_state(self, step: v1.Step) -> steps.Step:
        return steps.state(step.state)

    def _step_set(self, step: v1.Step) -> steps.Step:
        return steps.set_variable(step.set.name, self._content(step.set.value))

    def _step_frame(self, step: v1.Step) -> steps.Step:
        if step.frame.fixed.WhichOneof("bytes") == "size_from":
            return steps.frame_of_size(self._template(step.frame.fixed.size_from))
        return steps.frame(framing_of(step.frame, self._files))

    def _step_take(self, step: v1.Step) -> steps.Step:
        given = step.take
        if given.framing.fixed.WhichOneof("bytes") == "size_from":
            return steps.take_of_size(self._template(given.framing.fixed.size_from), given.set)
        return steps.take(framing_of(given.framing, self._files), given.set)

    # ── Bytes ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _captures(self) -> Captures:
        return captures_of(self._rule.when)

    def _content(self, payload: v1.Payload) -> bytes | templates.Template:
        if payload.WhichOneof("bytes") != "template":
            return payloads.decode(payload, self._files)
        template = self._template(payload.template)
        return template if template.constant is None else template.constant

    def _template(self, text: str) -> templates.Template:
        return templates.compile(text, self._captures.names, self._captures.groups)
