"""Runtime values of a supervisor, without a supervisor."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from answerback.metrics.snapshot import Runtime
from tests.shared.conftest import memory, places

__all__ = ["memory", "places", "runtime", "workers"]


@dataclass
class FakeWorker:
    index: int
    running: bool = True
    revision: int = 3
    restarts: int = 0
    planned_restarts: int = 0
    start_seconds: float = 0.125
    loop_lag_seconds: float = 0.0005


@pytest.fixture
def workers() -> list[FakeWorker]:
    return [FakeWorker(0), FakeWorker(1, restarts=2)]


@pytest.fixture
def runtime(workers: list[FakeWorker]) -> Callable[[], Runtime]:
    return lambda: Runtime(
        version="1.2.3", revision=3, last_applied=1_700_000_000.25, last_rejected=0.0, workers=workers
    )
