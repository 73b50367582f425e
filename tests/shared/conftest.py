"""Shared counters of two regions, with the cells of one listener."""

import pytest

from answerback.shared.counters import CounterLayout, SharedCounters


@pytest.fixture
def memory() -> SharedCounters:
    return SharedCounters.create(2)


@pytest.fixture
def places() -> CounterLayout:
    places = CounterLayout()
    places.listener("hello")
    places.rule("hello", "greet")
    places.rule("hello", "rules[1]")
    places.fault("hello", "lossy")
    places.unexpected("hello", "greet")
    return places
