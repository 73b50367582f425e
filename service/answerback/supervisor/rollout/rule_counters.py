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
Kept = Mapping[Key, tuple[bytes, int]]
"""The content, and the place of its sequence."""


class Counters:
    """The sequences of the active configuration."""

    def __init__(self, places: CounterLayout) -> None:
        self._places = places
        self._kept: Kept = {}

    def proposed(self, config: v1.Config) -> Kept:
        """Return the sequences of a proposed configuration. Raises CountersExhausted."""
        proposed: dict[Key, tuple[bytes, int]] = {}

        def propose(key: Key, counted: v1.Rule | v1.Fault, cells: int) -> None:
            content = counted.SerializeToString(deterministic=True)
            former, place = self._kept.get(key, (b"", 0))
            proposed[key] = content, place if former == content else self._places.counter(cells)

        for listener in config.listeners:
            for index, rule in enumerate(listener.rules):
                if rule.times or rule.HasField("replies"):
                    propose((listener.name, v1.Rule, rule_key(rule, index)), rule, 1)
            for index, fault in enumerate(listener.faults):
                if fault.skip or fault.times or fault.every:
                    propose((listener.name, v1.Fault, fault_key(fault, index)), fault, faults.COUNTERS)
        return proposed

    def places(self, listener: str = "", names: Collection[tuple[type[v1.Rule | v1.Fault], str]] = ()) -> list[range]:
        """Return the cells of active sequences: all, those of a listener, or those of named rules and faults."""
        return [
            range(place, place + (faults.COUNTERS if kind is v1.Fault else 1))
            for (of, kind, name), (_, place) in self._kept.items()
            if listener in ("", of) and (not names or (kind, name) in names)
        ]

    def decide(self, proposed: Kept) -> None:
        """Make these sequences active."""
        self._kept = proposed
