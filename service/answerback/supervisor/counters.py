"""Where rules count what all workers share: `times`, and whose turn it is among `replies`."""

from collections.abc import Mapping

from answerback.config import rule_key
from answerback.metrics.tally import Places
from answerback.v1 import config_pb2 as v1

# Rule: a rule keeps its counter as long as nothing in it is changed; one that is changed begins anew, in another place,
#       so that connections which still go by the old one cannot take numbers of the new.

Kept = Mapping[tuple[str, str], tuple[bytes, int]]
"""By listener and rule: its content, and the place of its counter."""


class Counters:
    """The counters of the configuration in force."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._kept: Kept = {}

    def proposed(self, config: v1.Config) -> Kept:
        """Those of a configuration that may come. Raises PlacesExhausted."""
        proposed = {}
        for listener in config.listeners:
            for index, rule in enumerate(listener.rules):
                if not rule.times and not rule.HasField("replies"):
                    continue
                key = listener.name, rule_key(rule, index)
                content = rule.SerializeToString(deterministic=True)
                former, place = self._kept.get(key, (b"", 0))
                proposed[key] = content, place if former == content else self._places.counter()
        return proposed

    def decide(self, proposed: Kept) -> None:
        """These are in force."""
        self._kept = proposed
