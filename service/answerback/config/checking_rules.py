"""What may be wrong with a rule: its match, its steps, their payloads."""

from collections.abc import Mapping, Sequence

from google.protobuf.message import Message

from answerback.config import bounds, payloads
from answerback.config.problems import Problems, step_into
from answerback.core import patterns
from answerback.v1 import config_pb2 as v1

# Rule: one field, one method; a oneof without a member says nothing, and that is a problem.

MAX_CONDITIONS = 32  # in one another: protobuf takes 100 messages deep, and each of these may be two

_LITERALS = {"equals", "prefix", "suffix", "contains"}


def members(message: Message) -> str:
    """The members of a message's oneof, as a sentence ends with them."""
    names = [field.name for field in message.DESCRIPTOR.oneofs[0].fields]
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


class RuleCheck:
    """The checks of rules."""

    def __init__(self, files: Mapping[str, bytes], problems: Problems) -> None:
        self._files = files
        self._problems = problems

    def rule(self, rule: v1.Rule, path: str) -> None:
        """A rule, but for its name."""
        bounds.enum(v1.Event.DESCRIPTOR, rule.event, step_into(path, "event"), self._problems)
        if rule.HasField("when"):
            if rule.event == v1.EVENT_CONNECT:
                self._add(path, "when", "there is no request yet on CONNECT, so there is nothing to match")
            self._match(rule.when, step_into(path, "when"), 1)
        for index, step in enumerate(rule.do):
            self._step(step, f"{path}.do[{index}]")

    def _match(self, match: v1.Match, path: str, depth: int) -> None:
        kind = match.WhichOneof("kind")
        if depth > MAX_CONDITIONS:
            self._problems.add(path, f"conditions can be {MAX_CONDITIONS} deep in one another")
        elif kind is None:
            self._problems.add(path, f"says nothing: give {members(match)}")
        elif kind in _LITERALS:
            self._payload(getattr(match, kind), step_into(path, kind))
        elif kind == "regex":
            self._regex(match.regex, step_into(path, "regex"))
        elif kind == "not":
            self._match(getattr(match, "not"), step_into(path, "not"), depth + 1)
        else:
            self._matches(getattr(match, kind).of, step_into(path, kind), depth)

    def _matches(self, matches: Sequence[v1.Match], path: str, depth: int) -> None:
        if not matches:
            self._problems.add(path, "an empty list: give at least one condition")
        for index, match in enumerate(matches):
            self._match(match, f"{path}.of[{index}]", depth + 1)

    def _regex(self, pattern: str, path: str) -> None:
        try:
            patterns.compile(pattern)
        except patterns.PatternError as problem:
            self._problems.add(path, f"RE2 refuses it: {problem}")

    def _step(self, step: v1.Step, path: str) -> None:
        kind = step.WhichOneof("kind")
        if kind is None:
            self._problems.add(path, f"says nothing: give {members(step)}")
        elif kind == "send":
            self._payload(step.send, step_into(path, "send"))
        elif kind == "delay":
            self._delay(step.delay, step_into(path, "delay"))

    def _delay(self, delay: v1.Delay, path: str) -> None:
        if delay.WhichOneof("kind") is None:
            self._problems.add(path, f"says nothing: give {members(delay)}")
        else:
            bounds.duration(delay.fixed, bounds.MAX_DELAY, step_into(path, "fixed"), self._problems)

    def _payload(self, payload: v1.Payload | v1.Literal, path: str) -> None:
        try:
            payloads.decode(payload, self._files)
        except payloads.MissingFile:
            pass  # said by `read_files`
        except ValueError as problem:
            kind = payload.WhichOneof("bytes")
            self._problems.add(step_into(path, kind) if kind else path, str(problem))

    def _add(self, path: str, field: str, message: str) -> None:
        self._problems.add(step_into(path, field), message)
