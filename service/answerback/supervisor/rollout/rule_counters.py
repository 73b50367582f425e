"""Where rules and faults count what all workers share: `times`, whose turn it is among `replies`, `after`, `first`."""

from collections.abc import Collection, Mapping

from answerback.core import faults
from answerback.language.faults import fault_key
from answerback.language.rules import rule_key
from answerback.shared.counters import CounterLayout
from answerback.v1 import config_pb2 as v1

# Rule: a rule or fault keeps its counter as long as nothing in it is changed; one that is changed begins anew, in
#       another place, so that connections which still go by the old one cannot take numbers of the new.


Key = tuple[str, type[v1.Rule | v1.Fault], str]
"""The listener, what it is, and what that is counted under."""
Kept = Mapping[Key, tuple[bytes, int]]
"""Its content, and the place of its counter."""


class Counters:
    """The counters of the configuration in force."""

    def __init__(self, places: CounterLayout) -> None:
        self._places = places
        self._kept: Kept = {}

    def proposed(self, config: v1.Config) -> Kept:
        """Those of a configuration that may come. Raises CountersExhausted."""
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
        """Where those in force stand, each its cells: all, those of a listener, or some of it by what they are."""
        return [
            range(place, place + (faults.COUNTERS if kind is v1.Fault else 1))
            for (of, kind, name), (_, place) in self._kept.items()
            if listener in ("", of) and (not names or (kind, name) in names)
        ]

    def decide(self, proposed: Kept) -> None:
        """These are in force."""
        self._kept = proposed
