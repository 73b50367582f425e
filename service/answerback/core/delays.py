"""How long to wait: the same each time, or drawn from a distribution.

Normal, lognormal and exponential distributions have tails without end; here they have ends, and what would fall past an
end falls on it. Inverse and product methods are those of the standard library's generator (`random`).
"""

from dataclasses import dataclass
from math import log
from random import Random
from typing import Final, Protocol

# Rule: a delay is drawn from the chance that is passed, and is 0 to LONGEST seconds.

LONGEST: Final = 3600.0  # seconds: a reply that takes longer is a mistake of units


class Delay(Protocol):
    """A time to wait."""

    def draw(self, chance: Random) -> float:
        """In seconds."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always as long."""

    seconds: float

    def draw(self, chance: Random) -> float:  # noqa: ARG002 - nothing is left to it
        """See `Delay.draw`."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every time between two, alike."""

    least: float
    most: float

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return chance.uniform(self.least, self.most)


@dataclass(frozen=True, slots=True)
class Normal:
    """About a mean, as often above as below."""

    mean: float
    deviation: float

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return min(max(0.0, chance.normalvariate(self.mean, self.deviation)), LONGEST)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """About a median, with a long tail above: what latencies are like. `sigma` is that of the logarithm."""

    median: float
    sigma: float
    most: float = LONGEST

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return min(chance.lognormvariate(log(self.median), self.sigma), self.most)


@dataclass(frozen=True, slots=True)
class Exponential:
    """The time until the next of events that come at any moment, `mean` apart."""

    mean: float
    most: float = LONGEST

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return min(chance.expovariate(1 / self.mean), self.most)
