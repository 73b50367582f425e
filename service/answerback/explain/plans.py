"""A listener's plan, compiled as in a worker, then instrumented."""

from collections.abc import Callable
from dataclasses import replace

from answerback.core.faults import COUNTERS
from answerback.core.matching import Reason
from answerback.core.plan import Engine, ListenerPlan, Rules
from answerback.explain.events import FaultName
from answerback.explain.observer import WatchedRules, Watcher
from answerback.internal.v1 import link_pb2
from answerback.language.compile import compile_plan
from answerback.language.contents import Files
from answerback.language.context import Compiling
from answerback.language.faults import fault_key
from answerback.language.matching import explain_match
from answerback.v1 import config_pb2 as v1


def compiled(listener: v1.Listener, files: Files) -> ListenerPlan:
    """Compile the listener; a rule's or fault's place is its index in the listener. Raises language.Refused."""
    rules, faults = range(len(listener.rules)), range(len(listener.faults))
    places = link_pb2.ListenerPlaces(
        listener=listener.name,
        rules=rules,
        counters=rules,
        faults=faults,
        fault_counters=[len(rules) + COUNTERS * index for index in faults],
    )
    plan = compile_plan(
        v1.Config(listeners=[listener]),
        files,
        revision=0,
        places=lambda _: places,
        default_engine=Engine.CALLBACK,
    )
    return plan.listeners[listener.name]


def watched(plan: ListenerPlan, listener: v1.Listener, files: Files, watcher: Callable[[], Watcher]) -> ListenerPlan:
    """Return the same plan, whose rules notify the watcher."""
    reasons = _reasons(listener, files)

    def on(event: str, rules: Rules) -> Rules:
        return WatchedRules(event, rules.written, reasons, watcher)

    return replace(
        plan,
        on_request=on("REQUEST", plan.on_request),
        on_connect=on("CONNECT", plan.on_connect),
        on_idle=on("IDLE", plan.on_idle),
        on_eof=on("EOF", plan.on_eof),
        on_drain=on("DRAIN", plan.on_drain),
    )


def fault_names(listener: v1.Listener) -> list[FaultName]:
    """Return the names of all faults, by their places."""
    return [
        FaultName(fault_key(fault, index), index, fault.WhichOneof("kind") or "")
        for index, fault in enumerate(listener.faults)
    ]


def _reasons(listener: v1.Listener, files: Files) -> dict[int, Reason]:
    """Return the explanation of each rule's match, by the rule's index."""
    return {
        index: explain_match(rule.when, Compiling(files))
        for index, rule in enumerate(listener.rules)
        if rule.HasField("when")
    }
