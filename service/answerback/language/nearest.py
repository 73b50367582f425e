"""Why no rule of a listener matched a request: the mismatch of the rule that came nearest."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from answerback.core import patterns
from answerback.core.context import RequestContext
from answerback.core.matching import Explainer, Mismatch
from answerback.core.matching.combinations import nearest
from answerback.language.contents import Files
from answerback.language.context import Compiling
from answerback.language.matching import explain_match
from answerback.language.requests import scope_of
from answerback.language.rules import rule_key
from answerback.v1 import config_pb2 as v1

# Rule: explanations are slow, and are compiled when the first is needed. Callers ask for few of them.

MAX_RULES: Final = 64  # that are explained, the first ones: some 2 us each, with a pattern 20
MAX_REQUEST_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class NearestRule:
    """The rule that came nearest, and why it does not match."""

    rule: str
    mismatch: Mismatch

    def __str__(self) -> str:
        """`rules[0]: is not "PING": byte 1 is "O", not "I"`."""
        return f"{self.rule}: {self.mismatch.why}"


class NearestMismatch:
    """The explanations of a listener's rules on requests."""

    def __init__(self, listener: v1.Listener, files: Files) -> None:
        self._rules = [
            (rule_key(rule, index), rule)
            for index, rule in enumerate(listener.rules)
            if rule.event in (v1.EVENT_UNSPECIFIED, v1.EVENT_REQUEST)
        ][:MAX_RULES]
        self._files = files
        self._listener = listener
        self._reasons: Sequence[tuple[str, v1.Rule, Explainer | None]] | None = None

    def of(self, request: bytes, context: RequestContext) -> NearestRule | None:
        """Return the nearest rule; None if there are no rules, or the request is too long."""
        if not self._rules or len(request) > MAX_REQUEST_BYTES:
            return None
        captures = context.captures
        found = [
            NearestRule(name, self._mismatch(rule, reason, request, context)) for name, rule, reason in self._all()
        ]
        context.captures = captures  # an explanation of a condition that holds sets them
        near = nearest([each.mismatch for each in found])
        return next(each for each in found if each.mismatch is near)

    def _mismatch(self, rule: v1.Rule, reason: Explainer | None, request: bytes, context: RequestContext) -> Mismatch:
        if rule.in_states and context.state not in rule.in_states:
            states = " or ".join(f'"{state}"' for state in rule.in_states)
            return Mismatch(f'is for the state {states}; the connection is in "{context.state}"')
        mismatch = None if reason is None else reason(request, context)
        return mismatch or Mismatch("has matched as often as it may")

    def _all(self) -> Sequence[tuple[str, v1.Rule, Explainer | None]]:
        if self._reasons is None:
            with patterns.compiling(patterns.Compiler(patterns.LEAST_MEMORY)):
                self._reasons = [(name, rule, self._reason(name, rule)) for name, rule in self._rules]
        return self._reasons

    def _reason(self, name: str, rule: v1.Rule) -> Explainer | None:
        if not rule.HasField("when"):
            return None
        with suppress(ValueError):
            return explain_match(rule.when, Compiling(self._files, replace(scope_of(self._listener), rule=name)))
        return None
