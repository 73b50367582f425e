"""What the supervisor would know, without one."""

from dataclasses import dataclass, field

import pytest

from answerback.metrics.tally import Places, Tally


@dataclass
class FakeWorker:
    index: int
    running: bool = True
    revision: int = 3
    restarts: int = 0
    start_seconds: float = 0.125
    loop_lag_seconds: float = 0.0005


@dataclass
class FakeFacts:
    version: str = "1.2.3"
    revision: int = 3
    last_applied: float = 1_700_000_000.25
    last_refused: float = 0.0
    workers: list[FakeWorker] = field(default_factory=lambda: [FakeWorker(0), FakeWorker(1, restarts=2)])


@pytest.fixture
def facts() -> FakeFacts:
    return FakeFacts()


@pytest.fixture
def tally() -> Tally:
    return Tally.create(2)


@pytest.fixture
def places() -> Places:
    places = Places()
    places.listener("hello")
    places.rule("hello", "greet")
    places.rule("hello", "rules[1]")
    return places
