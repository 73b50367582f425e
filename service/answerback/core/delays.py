"""Delays: a fixed time, or one drawn from a distribution.

Normal, lognormal and exponential distributions are unbounded; here they are clamped to their bounds. The methods
(inverse, product) are those of the standard library's generator (`random`).
"""

from dataclasses import dataclass
from math import log
from random import Random
from typing import Final, Protocol

# Rule: a delay is drawn from the generator that is passed, and is 0 to LONGEST seconds.

LONGEST: Final = 3600.0  # seconds: a longer delay is probably a mistake of units


class Delay(Protocol):
    """A distribution of delays."""

    def draw(self, chance: Random) -> float:
        """Draw a delay, in seconds."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same delay each time."""

    seconds: float

    def draw(self, chance: Random) -> float:  # noqa: ARG002 - nothing is left to it
        """See `Delay.draw`."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any delay between two bounds, with equal probability."""

    least: float
    most: float

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return chance.uniform(self.least, self.most)


@dataclass(frozen=True, slots=True)
class Normal:
    """A normal distribution around a mean."""

    mean: float
    deviation: float

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return min(max(0.0, chance.normalvariate(self.mean, self.deviation)), LONGEST)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """A lognormal distribution around a median, as typical latencies are. `sigma` is that of the logarithm."""

    median: float
    sigma: float
    most: float = LONGEST

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return min(chance.lognormvariate(log(self.median), self.sigma), self.most)


@dataclass(frozen=True, slots=True)
class Exponential:
    """The time between independent random events with this mean interval."""

    mean: float
    most: float = LONGEST

    def draw(self, chance: Random) -> float:
        """See `Delay.draw`."""
        return min(chance.expovariate(1 / self.mean), self.most)
