"""Medians and spreads of alternating pairs."""

# Rule: pure; nothing here measures anything.
# Rule: a ratio is the median of the ratios of the pairs, not the ratio of two medians: the two halves of a pair ran
#       within a second or two of each other, so what the machine did in between hits both and divides out.

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some samples, with the least and the greatest of them."""

    median: float
    least: float
    greatest: float
    samples: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One sample of each side, taken one right after the other, in µs of server CPU per request."""

    subject: float
    baseline: float

    @property
    def ratio(self) -> float:
        """How many times the baseline's cost the subject's is."""
        return self.subject / self.baseline


def spread(samples: Sequence[float]) -> Spread:
    """Summarise at least one sample; raises ValueError for none."""
    if not samples:
        raise ValueError("no samples to summarise")
    return Spread(median(samples), min(samples), max(samples), tuple(samples))


def percentile(samples: Sequence[float], part: float) -> float:
    """The least of the samples that at least this part of them does not exceed; raises ValueError for none."""
    if not samples:
        raise ValueError("no samples to summarise")
    return sorted(samples)[max(0, ceil(part * len(samples)) - 1)]


def ratio_of_rounds(subject: Spread, baseline: Spread) -> Spread:
    """Summarise the ratios of two sides that were measured in the same rounds; raises ValueError otherwise."""
    return ratio([Pair(*pair) for pair in zip(subject.samples, baseline.samples, strict=True)])


def ratio(pairs: Sequence[Pair]) -> Spread:
    """Summarise the ratios of the pairs; raises ValueError for none."""
    return spread([pair.ratio for pair in pairs])
