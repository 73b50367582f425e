"""A checked configuration to a core plan. Workers import this: neither yaml nor anything heavy comes with it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from answerback.core import patterns
from answerback.core.bounded_counter import CountedFor
from answerback.core.faults import Fault
from answerback.core.plan import Engine, Limits, ListenerPlan, Plan, Rule, Tick
from answerback.core.selection import Rules
from answerback.core.session.closing import LINGER_SECONDS
from answerback.core.steps import END_AS_UPSTREAM_DOWN, END_IN_ORDER, Step
from answerback.internal.v1 import link_pb2
from answerback.language import durations
from answerback.language.contents import Files
from answerback.language.context import Compiling
from answerback.language.enums import accept_of, engine_of
from answerback.language.expressions import Scope
from answerback.language.faults import compile_fault, fault_key
from answerback.language.forwarding import on_replies
from answerback.language.framing import compile_framing
from answerback.language.journal import compile_bounds, compile_settings
from answerback.language.limits import compile_limits
from answerback.language.nearest import NearestMismatch
from answerback.language.problems import InvalidConfig, Problem
from answerback.language.proxy_protocol import compile_proxy_protocol
from answerback.language.requests import longest_reply, longest_request, scope_of
from answerback.language.rules import RuleCells, compile_rule, rule_key, stands_alone
from answerback.language.upstreams import compile_upstream, is_stream
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
        longest = max(longest_request(listener), longest_reply(listener) if on_replies(listener) else 0)
        compiler = patterns.Compiler(pattern_memory, longest, pause)
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
    relays = listener.HasField("upstream")
    faults = () if relays else tuple(fault for _, fault in _faults(listener, layout))
    in_replies = tuple(fault for fault in faults if not fault.read_rate and fault.handshake is None)
    uses: list[bool] = []  # of `connection.number`
    scope = replace(scope_of(listener), uses_connection_number=lambda: uses.append(True))
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
        on_reply=on(v1.EVENT_REPLY),
        limits=compile_limits(listener.limits),
        faults=in_replies,
        faults_from_peer=tuple(fault for fault in faults if fault.read_rate),
        handshake_faults=tuple(fault for fault in faults if fault.handshake is not None),
        accept=accept_of(listener),
        rule_names=tuple(rule.name for _, rule in compiled),
        journal=compile_settings(listener.journal, journal),
        nearest=None if relays else NearestMismatch(listener, files),
        random_seed=listener.random_seed if listener.HasField("random_seed") else None,
        numbers_connections=bool(uses),
        counts_peers=counts_peers([rule for _, rule in compiled], faults),
        proxy_protocol=compile_proxy_protocol(listener),
        block=layout.block,
        socket=layout.socket,
    )
    return _turning_away(_relaying(plan, listener, compiled, files, layout) if relays else plan, compiled)


def _relaying(
    plan: ListenerPlan,
    listener: v1.Listener,
    compiled: Sequence[tuple[int, Rule]],
    files: Files,
    layout: link_pb2.ListenerLayout,
) -> ListenerPlan:
    """The plan with what a listener with an upstream has beside its rules."""
    return replace(
        plan,
        on_upstream_down=Rules(_on_upstream_down(listener, compiled)),
        upstream=compile_upstream(listener.upstream, Compiling(files)),
        streams=is_stream(listener),
        relay_faults=_relay_faults(listener, layout),
    )


def _turning_away(plan: ListenerPlan, compiled: Sequence[tuple[int, Rule]]) -> ListenerPlan:
    """The plan with that of connections over a limit, if there are rules for these."""
    rules = [rule for when, rule in compiled if when == v1.EVENT_LIMIT]
    return replace(plan, on_limit=_on_limit(plan, rules)) if rules else plan


def counts_peers(rules: Iterable[Rule], faults: Iterable[Fault]) -> bool:
    """Whether one of them counts for each peer."""
    return any(rule.counted and rule.scope is CountedFor.PEER for rule in rules) or any(
        fault.counted and fault.scope is CountedFor.PEER for fault in faults
    )


def _rules(
    listener: v1.Listener, layout: link_pb2.ListenerLayout, files: Files, faults: Sequence[Fault], scope: Scope
) -> list[tuple[int, Rule]]:
    """Each rule with its event, in the order written."""
    names = [rule_key(rule, index) for index, rule in enumerate(listener.rules)]
    none = [0] * len(names)
    cells = map(RuleCells, layout.rules, layout.counters or none, layout.unexpected or none)
    return [
        (
            rule.event or v1.EVENT_REQUEST,
            compile_rule(rule, name, at, files, faulted=any(fault.concerns(name) for fault in faults), scope=scope),
        )
        for rule, name, at in zip(listener.rules, names, cells, strict=True)
    ]


def ending_with(rule: Rule, step: Step) -> Rule:
    """The rule with one more step at the end of each script."""
    replies = rule.replies
    if replies is not None:
        replies = replace(replies, replies=tuple((*steps, step) for steps in replies.replies))
    return replace(rule, steps=(*rule.steps, step), replies=replies)


def _on_upstream_down(listener: v1.Listener, compiled: Sequence[tuple[int, Rule]]) -> list[Rule]:
    """The rules on that event. Where no others are, nothing can follow them but the end."""
    rules = [rule for when, rule in compiled if when == v1.EVENT_UPSTREAM_DOWN]
    return [ending_with(rule, END_AS_UPSTREAM_DOWN) for rule in rules] if is_stream(listener) else rules


def _on_limit(plan: ListenerPlan, rules: Sequence[Rule]) -> ListenerPlan:
    """The plan of connections over a limit: one of these rules acts at once, and then they are closed."""
    closing = [ending_with(rule, END_IN_ORDER) for rule in rules]
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
        counts_peers=counts_peers(closing, ()),
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


def _relay_faults(
    listener: v1.Listener, layout: link_pb2.ListenerLayout
) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """The faults of what the client sends, and of what the upstream sends."""
    compiled = _faults(listener, layout, relays=True)
    from_peer = tuple(fault for given, fault in compiled if given.direction == v1.Fault.DIRECTION_FROM_PEER)
    to_peer = tuple(fault for given, fault in compiled if given.direction != v1.Fault.DIRECTION_FROM_PEER)
    return from_peer, to_peer


def _faults(
    listener: v1.Listener, layout: link_pb2.ListenerLayout, *, relays: bool = False
) -> list[tuple[v1.Fault, Fault]]:
    """Each fault that is not switched off, as given and compiled, in the order written."""
    names = [fault_key(fault, index) for index, fault in enumerate(listener.faults)]
    counters = layout.fault_counters or [0] * len(names)
    numbered = zip(listener.faults, names, layout.faults, counters, strict=True)
    compiled = [
        (fault, compile_fault(fault, name, at, counter, relays=relays)) for fault, name, at, counter in numbered
    ]
    return [(given, fault) for given, fault in compiled if fault is not None]
