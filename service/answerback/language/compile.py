"""A checked configuration to a core plan. Workers import this: neither yaml nor anything heavy comes with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from answerback.core import patterns
from answerback.core.faults import Fault
from answerback.core.plan import Engine, Limits, ListenerPlan, Plan, Rule, Tick
from answerback.core.selection import Rules
from answerback.core.session.closing import LINGER_SECONDS
from answerback.core.steps import END_IN_ORDER
from answerback.internal.v1 import link_pb2
from answerback.language import durations
from answerback.language.contents import Files
from answerback.language.context import Compiling
from answerback.language.enums import accept_of, engine_of
from answerback.language.expressions import Scope
from answerback.language.faults import compile_fault, fault_key
from answerback.language.framing import compile_framing
from answerback.language.journal import compile_bounds, compile_settings
from answerback.language.limits import compile_limits
from answerback.language.nearest import NearestMismatch
from answerback.language.problems import InvalidConfig, Problem
from answerback.language.requests import fields_of, longest_request
from answerback.language.rules import compile_rule, rule_key, stands_alone
from answerback.v1 import config_pb2 as v1


def compile_plan(
    config: v1.Config,
    files: Files,
    *,
    revision: int,
    layouts: Callable[[str], link_pb2.ListenerLayout],
    default_engine: Engine,
    pattern_memory: int = patterns.DEFAULT_MEMORY,
    pause: Callable[[], None] = lambda: None,
) -> Plan:
    """The plan of a configuration that `check` found nothing wrong with.

    `files`: the content of what its `file` fields name. `layouts`: by a listener's name, where its counts and those of
    its rules and faults stand, and the key of its socket. `pattern_memory`: what the automata of each pattern may take.
    `pause` is called after each pattern. Raises InvalidConfig if it cannot be compiled after all.
    """
    problems: list[Problem] = []
    compiled: dict[str, ListenerPlan] = {}
    for index, listener in enumerate(config.listeners):
        compiler = patterns.Compiler(pattern_memory, longest_request(listener), pause)
        try:
            with patterns.compiling(compiler):
                compiled[listener.name] = _listener(
                    listener, config.journal, files, layouts(listener.name), default_engine
                )
        except ValueError as problem:
            problems.append(Problem(f"listeners[{index}]", f"cannot be compiled: {problem}"))
    if problems:
        raise InvalidConfig(problems)
    return Plan(revision, compiled, compile_bounds(config.journal))


def _listener(
    listener: v1.Listener,
    journal: v1.Journal,
    files: Files,
    layout: link_pb2.ListenerLayout,
    default_engine: Engine,
) -> ListenerPlan:
    faults = _faults(listener, layout)
    in_replies = tuple(fault for fault in faults if not fault.read_rate)
    uses: list[bool] = []  # of `connection.number`
    scope = Scope(fields=fields_of(listener), uses_connection_number=lambda: uses.append(True))
    compiled = _rules(listener, layout, files, in_replies, scope)

    def on(event: int) -> Rules:
        return Rules([rule for when, rule in compiled if when == event])

    plan = ListenerPlan(
        name=listener.name,
        address=listener.address,
        engine=engine_of(listener, default_engine),
        framing=compile_framing(listener.framing, Compiling(files)),
        on_request=on(v1.EVENT_REQUEST),
        on_connect=on(v1.EVENT_CONNECT),
        on_idle=on(v1.EVENT_IDLE),
        on_idle_in_script=Rules([*_idle_in_script(listener, compiled)]),
        ticks=tuple(_ticks(listener, compiled)),
        on_eof=on(v1.EVENT_EOF),
        on_drain=on(v1.EVENT_DRAIN),
        limits=compile_limits(listener.limits),
        faults=in_replies,
        faults_from_peer=tuple(fault for fault in faults if fault.read_rate),
        accept=accept_of(listener),
        rule_names=tuple(rule.name for _, rule in compiled),
        journal=compile_settings(listener.journal, journal),
        nearest=NearestMismatch(listener, files),
        random_seed=listener.random_seed if listener.HasField("random_seed") else None,
        numbers_connections=bool(uses),
        block=layout.block,
        socket=layout.socket,
    )
    turning_away = [rule for when, rule in compiled if when == v1.EVENT_LIMIT]
    return replace(plan, on_limit=_on_limit(plan, turning_away)) if turning_away else plan


def _rules(
    listener: v1.Listener, layout: link_pb2.ListenerLayout, files: Files, faults: Sequence[Fault], scope: Scope
) -> list[tuple[int, Rule]]:
    """Each rule with its event, in the order written."""
    names = [rule_key(rule, index) for index, rule in enumerate(listener.rules)]
    counters = layout.counters or [0] * len(names)  # none where no rule needs one
    return [
        (
            rule.event or v1.EVENT_REQUEST,
            compile_rule(
                rule, name, at, counter, files, faulted=any(fault.concerns(name) for fault in faults), scope=scope
            ),
        )
        for rule, name, at, counter in zip(listener.rules, names, layout.rules, counters, strict=True)
    ]


def _on_limit(plan: ListenerPlan, rules: Sequence[Rule]) -> ListenerPlan:
    """The plan of connections over a limit: one of these rules acts at once, and then they are closed."""
    closing = [
        replace(
            rule,
            steps=(*rule.steps, END_IN_ORDER),
            replies=rule.replies
            and replace(rule.replies, replies=tuple((*steps, END_IN_ORDER) for steps in rule.replies.replies)),
        )
        for rule in rules
    ]
    return ListenerPlan(
        plan.name,
        plan.address,
        plan.engine,
        plan.framing,
        on_connect=Rules([*closing, Rule("", -1, (END_IN_ORDER,))]),
        limits=Limits(
            idle_timeout=LINGER_SECONDS,
            request_timeout=LINGER_SECONDS,
            write_timeout=LINGER_SECONDS,
            lifetime=LINGER_SECONDS,
        ),
        block=plan.block,
    )


def _idle_in_script(listener: v1.Listener, compiled: Sequence[tuple[int, Rule]]) -> Iterator[Rule]:
    """The rules on IDLE that act while a script waits for a frame."""
    for given, (event, rule) in zip(listener.rules, compiled, strict=True):
        if event == v1.EVENT_IDLE and stands_alone(given):
            yield rule


def _ticks(listener: v1.Listener, compiled: Sequence[tuple[int, Rule]]) -> Iterator[Tick]:
    """The rules on TICK, each with its interval."""
    for given, (event, rule) in zip(listener.rules, compiled, strict=True):
        if event == v1.EVENT_TICK:
            yield Tick(durations.nanoseconds(given.interval) / 1e9, Rules([rule]))


def _faults(listener: v1.Listener, layout: link_pb2.ListenerLayout) -> tuple[Fault, ...]:
    names = [fault_key(fault, index) for index, fault in enumerate(listener.faults)]
    counters = layout.fault_counters or [0] * len(names)
    numbered = zip(listener.faults, names, layout.faults, counters, strict=True)
    compiled = [compile_fault(fault, name, at, counter) for fault, name, at, counter in numbered]
    return tuple(fault for fault in compiled if fault is not None)
