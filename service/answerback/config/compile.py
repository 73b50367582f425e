"""A checked configuration to a core plan. Workers import this: neither yaml nor anything heavy comes with it."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Literal

from answerback.config import durations
from answerback.config.compile_faults import compile_fault
from answerback.config.compile_framing import framing_of
from answerback.config.compile_rules import compile_rule
from answerback.config.problems import Problem, Refused
from answerback.core.faults import Fault
from answerback.core.plan import Accept, Engine, Limits, ListenerPlan, Plan, Rules
from answerback.internal.v1 import link_pb2
from answerback.v1 import config_pb2 as v1

# Rule: a default stands here, once, and in the documents; nothing else knows what an absent field means.

DEFAULT_LIMITS = Limits()

_Timeout = Literal["idle_timeout", "request_timeout", "write_timeout", "lifetime"]
_ENGINES = {v1.ENGINE_CALLBACK: Engine.CALLBACK, v1.ENGINE_COROUTINE: Engine.COROUTINE}
_ACCEPTS = {
    v1.ACCEPT_NORMAL: Accept.NORMAL,
    v1.ACCEPT_REFUSE: Accept.REFUSE,
    v1.ACCEPT_STALL: Accept.STALL,
    v1.ACCEPT_CLOSE: Accept.CLOSE,
    v1.ACCEPT_RESET: Accept.RESET,
    v1.ACCEPT_HOLD: Accept.HOLD,
}


def rule_key(rule: v1.Rule, index: int) -> str:
    """What a rule is counted under: its name, or its place among the listener's rules."""
    return rule.name or f"rules[{index}]"


def fault_key(fault: v1.Fault, index: int) -> str:
    """What a fault is counted under: its name, or its place among the listener's faults."""
    return fault.name or f"faults[{index}]"


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
    its rules and faults stand, and the key of its socket. Raises Refused if it cannot be compiled after all.
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
    counters = places.counters or [0] * len(names)  # none where no rule needs one
    numbered = zip(listener.rules, names, places.rules, counters, strict=True)
    faults = _faults(listener, places)
    compiled = [
        (rule.event or v1.EVENT_REQUEST, compile_rule(rule, name, at, counter, files, faulted=bool(faults)))
        for rule, name, at, counter in numbered
    ]

    def on(event: int) -> Rules:
        return Rules([rule for when, rule in compiled if when == event])

    return ListenerPlan(
        name=listener.name,
        address=listener.address,
        engine=_ENGINES.get(listener.engine, default_engine),
        framing=framing_of(listener.framing, files),
        on_request=on(v1.EVENT_REQUEST),
        on_connect=on(v1.EVENT_CONNECT),
        on_idle=on(v1.EVENT_IDLE),
        on_eof=on(v1.EVENT_EOF),
        on_drain=on(v1.EVENT_DRAIN),
        limits=limits_of(listener.limits),
        faults=faults,
        accept=accept_of(listener),
        rule_names=names,
        random_seed=listener.random_seed if listener.HasField("random_seed") else None,
        block=places.block,
        socket=places.socket,
    )


def _faults(listener: v1.Listener, places: link_pb2.ListenerPlaces) -> tuple[Fault, ...]:
    names = [fault_key(fault, index) for index, fault in enumerate(listener.faults)]
    counters = places.fault_counters or [0] * len(names)
    numbered = zip(listener.faults, names, places.faults, counters, strict=True)
    compiled = [compile_fault(fault, name, at, counter) for fault, name, at, counter in numbered]
    return tuple(fault for fault in compiled if fault is not None)


def accept_of(listener: v1.Listener) -> Accept:
    """What becomes of whoever connects to a listener."""
    return _ACCEPTS.get(listener.accept, Accept.NORMAL)


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
