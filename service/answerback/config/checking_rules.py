"""What may be wrong with a rule, but for its name."""

from collections.abc import Mapping
from math import isfinite

from answerback.config import bounds
from answerback.config.checking_bytes import BytesCheck
from answerback.config.checking_matches import MatchCheck
from answerback.config.checking_steps import StepCheck, state_name
from answerback.config.problems import Problems
from answerback.v1 import config_pb2 as v1


def check_rule(rule: v1.Rule, path: str, files: Mapping[str, bytes], problems: Problems) -> None:
    """Find everything."""
    bounds.enum(v1.Event.DESCRIPTOR, rule.event, f"{path}.event", problems)
    bounds.enum(v1.Scope.DESCRIPTOR, rule.scope, f"{path}.scope", problems)
    for index, state in enumerate(rule.in_states):
        state_name(state, f"{path}.in_states[{index}]", problems)
    data = BytesCheck(files, problems, rule.when)
    if rule.HasField("when"):
        MatchCheck(data, problems, event_without_request(rule)).match(rule.when, f"{path}.when")
    steps = StepCheck(data, problems)
    steps.script(rule.do, f"{path}.do")
    if not rule.HasField("replies"):
        return
    if rule.do:
        problems.add(f"{path}.replies", "only one of do and replies can be given")
    for index, script in enumerate(rule.replies.of):
        steps.script(script.do, f"{path}.replies.of[{index}].do")
    _then(rule.replies, f"{path}.replies", problems)


def event_without_request(rule: v1.Rule) -> str | None:
    """The word of an event that brings no request; None for REQUEST, and for what is no event."""
    if rule.event in {v1.EVENT_UNSPECIFIED, v1.EVENT_REQUEST} or rule.event not in v1.Event.values():
        return None
    return v1.Event.Name(rule.event).removeprefix("EVENT_")


def _then(replies: v1.Replies, path: str, problems: Problems) -> None:
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
