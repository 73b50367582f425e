"""A listener's plan, compiled as in a worker, and the names and explanations of what is in it."""

from answerback.core.faults import COUNTERS
from answerback.core.matching import Explainer
from answerback.core.plan import Engine, ListenerPlan
from answerback.explain.names import FaultName
from answerback.internal.v1 import link_pb2
from answerback.language.compile import compile_plan
from answerback.language.contents import Files
from answerback.language.context import Compiling
from answerback.language.faults import fault_key
from answerback.language.matching import explain_match
from answerback.language.requests import scope_of
from answerback.language.rules import rule_key, scope_of_rule
from answerback.v1 import config_pb2 as v1


def compiled(listener: v1.Listener, files: Files) -> ListenerPlan:
    """Compile the listener; a rule's or fault's place is its index in the listener. Raises language.InvalidConfig."""
    rules, faults = range(len(listener.rules)), range(len(listener.faults))
    layout = link_pb2.ListenerLayout(
        listener=listener.name,
        rules=rules,
        counters=rules,
        unexpected=rules,
        faults=faults,
        fault_counters=[len(rules) + COUNTERS * index for index in faults],
    )
    plan = compile_plan(
        v1.Config(listeners=[listener]),
        files,
        revision=0,
        layouts=lambda _: layout,
        default_engine=Engine.CALLBACK,
    )
    return plan.listeners[listener.name]


def fault_names(listener: v1.Listener) -> list[FaultName]:
    """Return the names of all faults, by their places."""
    return [
        FaultName(fault_key(fault, index), index, fault.WhichOneof("kind") or "")
        for index, fault in enumerate(listener.faults)
    ]


def explainers(listener: v1.Listener, files: Files) -> dict[int, Explainer]:
    """Return the explanation of each rule's match, by the rule's index."""
    shared = scope_of(listener)
    return {
        index: explain_match(
            rule.when,
            Compiling(files, scope_of_rule(rule, rule_key(rule, index), shared)),
        )
        for index, rule in enumerate(listener.rules)
        if rule.HasField("when")
    }
