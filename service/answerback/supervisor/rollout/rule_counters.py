"""The shared sequences of rules and faults, for `times`, `skip`, `every` and the order of `replies`."""

from collections.abc import Collection, Mapping

from answerback.core import faults
from answerback.language.faults import fault_key
from answerback.language.rules import rule_key
from answerback.shared.counters import CounterLayout
from answerback.v1 import config_pb2 as v1

# Rule: a rule or fault keeps its sequence while it is unchanged; a changed one gets new cells, so that connections
#       still on the old rule cannot take numbers from the new sequence.


Key = tuple[str, type[v1.Rule | v1.Fault], str]
"""The listener, the kind (rule or fault), and the name in the counters."""
Sequences = Mapping[Key, tuple[bytes, range]]
"""The content, and the cells of its sequence."""


class RuleCounters:
    """The sequences of the active configuration."""

    def __init__(self, layout: CounterLayout) -> None:
        self._layout = layout
        self._active: Sequences = {}

    def plan(self, config: v1.Config) -> Sequences:
        """Return the sequences of a planned configuration. Raises CountersExhausted."""
        planned: dict[Key, tuple[bytes, range]] = {}

        def assign(key: Key, counted: v1.Rule | v1.Fault, size: int) -> None:
            content = counted.SerializeToString(deterministic=True)
            former, cells = self._active.get(key, (b"", range(0)))
            if former != content:
                first = self._layout.counter(size)
                cells = range(first, first + size)
            planned[key] = content, cells

        for listener in config.listeners:
            for index, rule in enumerate(listener.rules):
                if rule.times or rule.HasField("replies"):
                    assign((listener.name, v1.Rule, rule_key(rule, index)), rule, 1 + rule.HasField("per"))
            for index, fault in enumerate(listener.faults):
                if fault.skip or fault.times or fault.every:
                    assign((listener.name, v1.Fault, fault_key(fault, index)), fault, faults.COUNTERS)
        return planned

    def cells(self, listener: str = "", names: Collection[tuple[type[v1.Rule | v1.Fault], str]] = ()) -> list[range]:
        """Return the cells of active sequences: all, those of a listener, or those of named rules and faults."""
        return [
            cells
            for (of, kind, name), (_, cells) in self._active.items()
            if listener in ("", of) and (not names or (kind, name) in names)
        ]

    def commit(self, planned: Sequences) -> None:
        """Make these sequences active."""
        self._active = planned
