"""A checked configuration to a core plan. Workers import this: neither yaml nor anything heavy comes with it."""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Literal

from answerback.config import durations, payloads
from answerback.config.problems import Problem, Refused
from answerback.core import framing, matching, steps
from answerback.core.plan import Engine, Limits, ListenerPlan, Plan, Rule, Selector
from answerback.internal.v1 import link_pb2
from answerback.v1 import config_pb2 as v1

# Rule: a default stands here, once, and in the documents; nothing else knows what an absent field means.

DEFAULT_READ_BYTES = 1024  # both of the original servers took that much for a request
DEFAULT_LIMITS = Limits()

_Timeout = Literal["idle_timeout", "request_timeout", "write_timeout", "lifetime"]
_ENGINES = {v1.ENGINE_CALLBACK: Engine.CALLBACK, v1.ENGINE_COROUTINE: Engine.COROUTINE}
_LITERALS: Mapping[str, Callable[[bytes, bool], matching.Matcher]] = {
    "equals": matching.equals,
    "prefix": matching.prefix,
    "suffix": matching.suffix,
    "contains": matching.contains,
}
_PLAIN_STEPS: Mapping[str, Callable[[], steps.Step]] = {
    "echo": steps.echo,
    "discard": steps.discard,
    "close": steps.close,
    "reset": steps.reset,
}


def rule_key(rule: v1.Rule, index: int) -> str:
    """What a rule is counted under: its name, or its place among the listener's rules."""
    return rule.name or f"rules[{index}]"


def compile_plan(
    config: v1.Config,
    files: Mapping[str, bytes],
    *,
    revision: int,
    places: Callable[[str], link_pb2.ListenerPlaces],
    default_engine: Engine,
) -> Plan:
    """The plan of a configuration that `check` found nothing wrong with.

    `files`: the content of what its `file` fields name. `places`: by a listener's name, where its counts and those of
    its rules stand, and the key of its socket. Raises Refused if it cannot be compiled after all.
    """
    problems: list[Problem] = []
    compiled: dict[str, ListenerPlan] = {}
    for index, listener in enumerate(config.listeners):
        try:
            compiled[listener.name] = _listener(listener, files, places(listener.name), default_engine)
        except ValueError as problem:
            problems.append(Problem(f"listeners[{index}]", f"cannot be compiled: {problem}"))
    if problems:
        raise Refused(problems)
    return Plan(revision, compiled)


def _listener(
    listener: v1.Listener, files: Mapping[str, bytes], places: link_pb2.ListenerPlaces, default_engine: Engine
) -> ListenerPlan:
    names = tuple(rule_key(rule, index) for index, rule in enumerate(listener.rules))
    numbered = list(zip(listener.rules, names, places.rules, strict=True))
    on_connect = next((each for each in numbered if each[0].event == v1.EVENT_CONNECT), None)
    return ListenerPlan(
        name=listener.name,
        address=listener.address,
        engine=_ENGINES.get(listener.engine, default_engine),
        framing=framing_of(listener.framing),
        on_request=Selector([_rule(*each, files) for each in numbered if each[0].event != v1.EVENT_CONNECT]),
        on_connect=_rule(*on_connect, files) if on_connect else None,
        limits=limits_of(listener.limits),
        rule_names=names,
        block=places.block,
        socket=places.socket,
    )


def framing_of(given: v1.Framing) -> framing.Framing:
    """How bytes become requests; `read` unless given."""
    if given.WhichOneof("kind") == "line":
        return framing.Line(given.line.keep_ending)
    return framing.Read(given.read.max_bytes if given.read.HasField("max_bytes") else DEFAULT_READ_BYTES)


def limits_of(given: v1.Limits) -> Limits:
    """The bounds, defaults filled in; 0 means none."""

    def seconds(field: _Timeout, default: float) -> float:
        return durations.seconds(getattr(given, field)) or inf if given.HasField(field) else default

    default = DEFAULT_LIMITS
    return Limits(
        max_connections=given.max_connections,
        max_connections_per_peer=given.max_connections_per_peer,
        idle_timeout=seconds("idle_timeout", default.idle_timeout),
        request_timeout=seconds("request_timeout", default.request_timeout),
        write_timeout=seconds("write_timeout", default.write_timeout),
        lifetime=seconds("lifetime", default.lifetime),
        max_request_bytes=given.max_request_bytes if given.HasField("max_request_bytes") else default.max_request_bytes,
    )


def _rule(rule: v1.Rule, name: str, place: int, files: Mapping[str, bytes]) -> Rule:
    exact = rule.when.WhichOneof("kind") == "equals" and not rule.when.equals.ignore_case
    return Rule(
        name=name,
        place=place,
        steps=tuple(_step(step, files) for step in rule.do),
        matches=_matcher(rule.when, files) if rule.HasField("when") else None,
        equals=payloads.decode(rule.when.equals, files) if exact else None,
    )


def _matcher(match: v1.Match, files: Mapping[str, bytes]) -> matching.Matcher:
    kind: str = match.WhichOneof("kind") or ""
    if kind in _LITERALS:
        literal: v1.Literal = getattr(match, kind)
        return _LITERALS[kind](payloads.decode(literal, files), literal.ignore_case)
    if kind == "regex":
        return matching.regex(match.regex)
    if kind == "all":
        return matching.all_of(_matchers(match.all.of, files))
    if kind == "any":
        return matching.any_of(_matchers(match.any.of, files))
    if kind == "not":
        return matching.none_of(_matcher(getattr(match, "not"), files))
    raise ValueError("a condition says nothing")


def _matchers(matches: Sequence[v1.Match], files: Mapping[str, bytes]) -> list[matching.Matcher]:
    return [_matcher(match, files) for match in matches]


def _step(step: v1.Step, files: Mapping[str, bytes]) -> steps.Step:
    kind: str = step.WhichOneof("kind") or ""
    if kind in _PLAIN_STEPS:
        return _PLAIN_STEPS[kind]()
    if kind == "send":
        return steps.send(payloads.decode(step.send, files))
    if kind == "delay":
        return steps.delay_fixed(durations.seconds(step.delay.fixed))
    raise ValueError("a step says nothing")
