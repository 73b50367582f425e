"""Delays: a fixed time, or one drawn from a distribution.

Normal, lognormal and exponential distributions are unbounded; here they are clamped to their bounds. The methods
(inverse, product) are those of the standard library's generator (`random`).
"""

from dataclasses import dataclass
from math import log
from random import Random
from typing import Final, Protocol

from answerback.compat import override

# Rule: a delay is drawn from the generator that is passed, and is 0 to MAX_SECONDS seconds.

MAX_SECONDS: Final = 3600.0  # seconds: a longer delay is probably a mistake of units


class Delay(Protocol):
    """A distribution of delays."""

    __slots__ = ()

    def draw(self, chance: Random) -> float:
        """Draw a delay, in seconds."""


@dataclass(frozen=True, slots=True)
class Fixed(Delay):
    """The same delay each time."""

    seconds: float

    @override
    def draw(self, chance: Random) -> float:
        return self.seconds


@dataclass(frozen=True, slots=True)
class Uniform(Delay):
    """Any delay between two bounds, with equal probability; 0 where that is less than 0."""

    least: float
    most: float

    @override
    def draw(self, chance: Random) -> float:
        return max(0.0, chance.uniform(self.least, self.most))


@dataclass(frozen=True, slots=True)
class Normal(Delay):
    """A normal distribution around a mean."""

    mean: float
    deviation: float

    @override
    def draw(self, chance: Random) -> float:
        return min(max(0.0, chance.normalvariate(self.mean, self.deviation)), MAX_SECONDS)


@dataclass(frozen=True, slots=True)
class Lognormal(Delay):
    """A lognormal distribution around a median, as typical latencies are. `sigma` is that of the logarithm."""

    median: float
    sigma: float
    most: float = MAX_SECONDS

    @override
    def draw(self, chance: Random) -> float:
        return min(chance.lognormvariate(log(self.median), self.sigma), self.most)


@dataclass(frozen=True, slots=True)
class Exponential(Delay):
    """The time between independent random events with this mean interval."""

    mean: float
    most: float = MAX_SECONDS

    @override
    def draw(self, chance: Random) -> float:
        return min(chance.expovariate(1 / self.mean), self.most)
