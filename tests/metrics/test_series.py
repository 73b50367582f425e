"""Series of removed listeners, rules and faults expire; those of configured ones do not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from answerback.metrics.exposition import Exposition
from answerback.metrics.series import REMOVED_SECONDS, Names, Series
from answerback.metrics.snapshot import Runtime, read_open
from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.listener_counters import BLOCK

NONE = Names(frozenset(), frozenset(), frozenset(), frozenset())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def series(places: CounterLayout, memory: SharedCounters, clock: Clock) -> Series:
    return Series(places, lambda place: read_open(memory, place), clock=clock)


def everything(places: CounterLayout) -> Names:
    return Names(
        frozenset(places.listeners),
        frozenset(places.rules),
        frozenset(places.unexpected_frames),
        frozenset(places.faults),
    )


def test_series_of_configured_listener_never_expire(series: Series, places: CounterLayout, clock: Clock) -> None:
    series.configured(everything(places))
    clock.now += 10 * REMOVED_SECONDS
    shown = series.shown()
    assert shown.listeners == places.listeners
    assert list(shown.rules) == [("hello", "greet"), ("hello", "rules[1]")]
    assert shown.faults == places.faults
    assert shown.unexpected_frames == places.unexpected_frames == {("hello", "greet"): BLOCK + 3}


def test_series_of_configuration_never_active_are_not_shown(series: Series) -> None:
    assert not series.shown().listeners  # a place was given to it, by a change that failed


def test_series_of_removed_listener_expire_after_a_while(series: Series, places: CounterLayout, clock: Clock) -> None:
    series.configured(everything(places))
    series.configured(NONE)
    clock.now += REMOVED_SECONDS - 1
    assert series.shown().listeners == places.listeners
    assert series.shown().rules == places.rules
    assert series.shown().faults == places.faults
    assert series.shown().unexpected_frames == places.unexpected_frames
    clock.now += 1
    shown = series.shown()
    assert not shown.listeners
    assert not shown.rules
    assert not shown.unexpected_frames
    assert not shown.faults


def test_series_of_a_removed_rule_and_fault_expire_without_their_listener(
    series: Series, places: CounterLayout, clock: Clock
) -> None:
    series.configured(everything(places))
    series.configured(Names(frozenset({"hello"}), frozenset({("hello", "greet")}), frozenset(), frozenset()))
    clock.now += REMOVED_SECONDS
    shown = series.shown()
    assert list(shown.listeners) == ["hello"]
    assert list(shown.rules) == [("hello", "greet")]
    assert not shown.faults


def test_series_of_removed_listener_are_not_prolonged_by_a_later_change(
    series: Series, places: CounterLayout, clock: Clock
) -> None:
    series.configured(everything(places))
    series.configured(NONE)
    clock.now += REMOVED_SECONDS - 1
    series.configured(NONE)
    clock.now += 1
    assert not series.shown().listeners


def test_series_of_listener_added_again_keep_their_counts(series: Series, places: CounterLayout, clock: Clock) -> None:
    before = dict(places.rules)
    series.configured(everything(places))
    series.configured(NONE)
    clock.now += REMOVED_SECONDS
    assert not series.shown().rules
    series.configured(everything(places))
    clock.now += 2 * REMOVED_SECONDS
    assert series.shown().rules == before  # in the same cells


def test_series_of_a_removed_listener_stay_while_connections_are_open(
    series: Series, places: CounterLayout, memory: SharedCounters, clock: Clock
) -> None:
    opened = places.listeners["hello"] + 1
    memory.region(1)[opened] = 1
    series.configured(everything(places))
    series.configured(NONE)
    clock.now += 5 * REMOVED_SECONDS
    assert series.shown().listeners == places.listeners
    assert series.shown().rules == places.rules
    memory.region(1)[opened] = 0
    clock.now += REMOVED_SECONDS - 1  # counted from when the connection was last seen
    assert series.shown().listeners == places.listeners
    assert series.shown().faults == places.faults
    clock.now += 1
    assert not series.shown().listeners
    assert not series.shown().rules


def test_scrapes_shrink_after_many_rules_are_removed(
    series: Series, places: CounterLayout, memory: SharedCounters, clock: Clock, runtime: Callable[[], Runtime]
) -> None:
    exposition = Exposition(memory, series.shown, runtime)
    series.configured(everything(places))
    small = exposition.render()[0]
    for index in range(10_000):
        places.rule("hello", f"more{index}")
    series.configured(everything(places))
    assert exposition.render()[0].count(b"\n") == small.count(b"\n") + 10_000
    few = replace(everything(places), rules=frozenset({("hello", "greet"), ("hello", "rules[1]")}))
    series.configured(few)
    assert exposition.render()[0].count(b"\n") == small.count(b"\n") + 10_000
    clock.now += REMOVED_SECONDS
    assert exposition.render()[0].count(b"\n") == small.count(b"\n")
