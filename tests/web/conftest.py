"""What the page shows, without a supervisor."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest


@dataclass
class FakeListener:
    name: str = "hello"
    address: str = "127.0.0.1:8000"
    engine: str = "callback"
    accepted: int = 1_234_567
    open: int = 89
    requests: int = 2_000_000


@dataclass
class FakeWorker:
    index: int
    pid: int = 4711
    revision: int = 7
    restarts: int = 0


@dataclass
class FakeOverview:
    version: str = "1.2.3"
    revision: int = 7
    state: str = "serving"
    reason: str = ""
    start_time: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    listeners: list[FakeListener] = field(default_factory=lambda: [FakeListener()])
    workers: list[FakeWorker] = field(default_factory=lambda: [FakeWorker(0), FakeWorker(1, pid=0)])


@pytest.fixture
def overview() -> FakeOverview:
    return FakeOverview()
