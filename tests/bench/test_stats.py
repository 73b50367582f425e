"""bench.stats: medians and ratios of pairs."""

import pytest

from bench.stats import Pair, percentile, ratio, ratio_of_rounds, spread


def test_spread_has_the_median_and_the_extremes() -> None:
    found = spread([3.0, 1.0, 2.0])
    assert (found.median, found.least, found.greatest, found.samples) == (2.0, 1.0, 3.0, (3.0, 1.0, 2.0))


def test_median_of_even_count_lies_between() -> None:
    assert spread([1.0, 2.0]).median == 1.5


def test_spread_of_no_samples_is_rejected() -> None:
    with pytest.raises(ValueError, match="no samples"):
        spread([])


def test_ratio_is_unaffected_by_drift_of_both_sides() -> None:
    pairs = [Pair(subject=slowness * 3, baseline=slowness * 2) for slowness in (1.0, 1.5, 9.0)]
    found = ratio(pairs)
    assert found.least == found.median == found.greatest == 1.5


def test_ratio_of_rounds_compares_what_was_measured_in_the_same_round() -> None:
    assert ratio_of_rounds(spread([3.0, 8.0]), spread([2.0, 16.0])).samples == (1.5, 0.5)
    with pytest.raises(ValueError, match="shorter"):
        ratio_of_rounds(spread([3.0, 8.0]), spread([2.0]))


def test_percentile_is_one_of_the_samples() -> None:
    samples = [float(number) for number in range(200, 0, -1)]
    assert [percentile(samples, part) for part in (0.0, 0.5, 0.99, 1.0)] == [1.0, 100.0, 198.0, 200.0]
    assert percentile([7.0], 0.99) == 7.0
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)
