"""The shared sequences of rules and faults, for `times`, `skip`, `every` and the order of `replies`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from answerback.core import faults
from answerback.language.faults import fault_key
from answerback.language.rules import rule_key
from answerback.shared.counters import CounterLayout
from answerback.v1 import config_pb2 as v1

# Rule: a rule or fault keeps its sequence while it is unchanged; a changed one gets new cells, so that connections
#       still on the old rule cannot take numbers from the new sequence.


Key = tuple[str, type[v1.Rule | v1.Fault], str]
"""The listener, the kind (rule or fault), and the name in the counters."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The cells of the sequences of a rule or fault with this content."""

    content: bytes
    cells: range
    for_peers: bool
    """Whether they count for each peer."""


Sequences = Mapping[Key, Counted]


class RuleCounters:
    """The sequences of the active configuration."""

    def __init__(self, layout: CounterLayout) -> None:
        self._layout = layout
        self._active: Sequences = {}

    def plan(self, config: v1.Config) -> Sequences:
        """Return the sequences of a planned configuration. Raises CountersExhausted."""
        planned: dict[Key, Counted] = {}

        def assign(key: Key, counted: v1.Rule | v1.Fault, size: int) -> None:
            content = counted.SerializeToString(deterministic=True)
            former = self._active.get(key)
            if former is None or former.content != content:
                first = self._layout.counter(size)
                former = Counted(content, range(first, first + size), counted.scope == v1.SCOPE_PEER)
            planned[key] = former

        for listener in config.listeners:
            for index, rule in enumerate(listener.rules):
                if rule.times or rule.HasField("replies"):
                    assign((listener.name, v1.Rule, rule_key(rule, index)), rule, 1 + rule.HasField("per"))
            for index, fault in enumerate(listener.faults):
                if fault.skip or fault.times or fault.every:
                    assign((listener.name, v1.Fault, fault_key(fault, index)), fault, faults.COUNTERS)
        return planned

    def cells(self, listener: str = "", names: Collection[tuple[type[v1.Rule | v1.Fault], str]] = ()) -> list[Counted]:
        """Return the active sequences: all, those of a listener, or those of named rules and faults."""
        return [
            counted
            for (of, kind, name), counted in self._active.items()
            if listener in ("", of) and (not names or (kind, name) in names)
        ]

    def commit(self, planned: Sequences) -> None:
        """Make these sequences active."""
        self._active = planned
