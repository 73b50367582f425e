"""What rules and faults are called in a transcript, and why a rule did not match."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from answerback.core.matching import Mismatch


@dataclass(frozen=True, slots=True)
class RuleName:
    """A rule's name in the counters, and its index in the listener, from 0."""

    name: str
    index: int

    def __str__(self) -> str:
        return _placed(f"rules[{self.index}]", self.name)


@dataclass(frozen=True, slots=True)
class FaultName:
    """A fault's name in the counters, its index in the listener, from 0, and its kind."""

    name: str
    index: int
    kind: str

    def __str__(self) -> str:
        return _placed(f"faults[{self.index}]", self.name)


def _placed(place: str, name: str) -> str:
    return place if name == place else f"{place} {name}"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A rule that was evaluated and did not match."""

    rule: RuleName
    miss: Mismatch
    nearest: bool = False
    """Whether it got furthest into the request, of all rules that did not match because of their bytes."""


def mark_nearest(passed_over: Sequence[PassedOver]) -> tuple[PassedOver, ...]:
    """Mark the rule that got furthest into the request, if any did."""
    near = max(passed_over, key=lambda each: each.miss.at or 0, default=None)
    if near is None or not near.miss.at:
        return tuple(passed_over)
    return tuple(replace(each, nearest=each is near) for each in passed_over)
