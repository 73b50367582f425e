"""Delays follow their distribution, by the test of Kolmogorov and Smirnov, with fixed seeds."""

from collections.abc import Callable
from math import exp, log, sqrt
from random import Random
from statistics import NormalDist, fmean, median

import pytest

from answerback.core.delays import MAX_SECONDS, Delay, Exponential, Fixed, Lognormal, Normal, Uniform

DRAWS = 20_000
CRITICAL = 1.95 / sqrt(DRAWS)  # the distance that one random sample of a thousand exceeds


def drawn(delay: Delay, seed: int = 1, draws: int = DRAWS) -> list[float]:
    chance = Random(seed)
    return [delay.draw(chance) for _ in range(draws)]


def distance(sample: list[float], theory: Callable[[float], float]) -> float:
    """Kolmogorov and Smirnov's: the greatest between what was drawn and the theory, where it is continuous."""
    ordered = sorted(sample)
    return max(
        max((index + 1) / len(ordered) - theory(value), theory(value) - index / len(ordered))
        for index, value in enumerate(ordered)
    )


def uniform(value: float) -> float:
    return (value - 0.5) / 1.5


def normal(value: float) -> float:
    return NormalDist(5, 1).cdf(value)


def lognormal(value: float) -> float:
    return NormalDist(log(0.2), 0.5).cdf(log(value))


def exponential(value: float) -> float:
    return 1 - exp(-value / 0.3)


THEORIES: list[tuple[Delay, Callable[[float], float]]] = [
    (Uniform(0.5, 2), uniform),
    (Normal(5, 1), normal),
    (Lognormal(0.2, 0.5), lognormal),
    (Exponential(0.3), exponential),
]
each_theory = pytest.mark.parametrize("delay, theory", THEORIES, ids=lambda given: type(given).__name__)


@each_theory
@pytest.mark.parametrize("seed", range(3))
def test_drawn_delays_follow_their_distribution(delay: Delay, theory: Callable[[float], float], seed: int) -> None:
    assert distance(drawn(delay, seed), theory) < CRITICAL


@pytest.mark.parametrize(
    "delay, theory",
    [
        (Uniform(0.5, 1.9), uniform),
        (Normal(5.1, 1), normal),
        (Normal(5, 1.1), normal),
        (Lognormal(0.21, 0.5), lognormal),
        (Lognormal(0.2, 0.55), lognormal),
        (Exponential(0.32), exponential),
    ],
)
def test_delay_test_detects_a_slightly_wrong_distribution(delay: Delay, theory: Callable[[float], float]) -> None:
    assert distance(drawn(delay), theory) > CRITICAL


def test_delay_distributions_have_their_mean_and_median() -> None:
    assert fmean(drawn(Normal(5, 1))) == pytest.approx(5, rel=0.01)
    assert median(drawn(Lognormal(0.2, 0.5))) == pytest.approx(0.2, rel=0.02)
    assert fmean(drawn(Exponential(0.3))) == pytest.approx(0.3, rel=0.02)
    assert set(drawn(Fixed(0.25), draws=3)) == {0.25}


def test_delay_distributions_are_cut_at_their_bounds() -> None:
    below = drawn(Normal(0.1, 0.1))
    assert below.count(0.0) / DRAWS == pytest.approx(NormalDist().cdf(-1), rel=0.05)
    assert min(below) == 0
    assert max(drawn(Normal(3600, 3600))) == MAX_SECONDS
    assert max(drawn(Lognormal(1, 10, 5))) == 5
    assert max(drawn(Lognormal(3600, 10))) == MAX_SECONDS
    assert max(drawn(Exponential(1, 2))) == 2


@pytest.mark.parametrize("delay", [Uniform(0, 0), Normal(0, 0), Lognormal(1e-9, 1e-9, 0), Exponential(1e-9, 0)])
def test_smallest_delay_is_0(delay: Delay) -> None:
    assert set(drawn(delay, draws=100)) == {0}


def test_uniform_with_a_negative_bound_is_0_in_place_of_less() -> None:
    chance = Random(1)
    drawn = [Uniform(-1.0, 3.0).draw(chance) for _ in range(10_000)]
    assert min(drawn) == 0.0
    assert drawn.count(0.0) / len(drawn) == pytest.approx(0.25, abs=0.02)
    assert max(drawn) == pytest.approx(3.0, abs=0.01)
