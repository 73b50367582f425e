"""Supervisors that are stopped after each test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.supervising import Supervised, listener, text

Supervise = Callable[..., Awaitable[Supervised]]


@pytest.fixture
async def supervise(tmp_path: Path) -> AsyncIterator[Supervise]:
    """Start a supervisor on these listeners: `await supervise(listener("one"), workers=2)`."""
    started: list[Supervised] = []

    async def start(*listeners: str, **options: Any) -> Supervised:
        path = tmp_path / "answerback.yaml"
        path.write_text(text(*(listeners or (listener(),))))
        supervisor = Supervised(path, **options)
        started.append(supervisor)
        await supervisor.start()
        return supervisor

    yield start
    for supervisor in started:
        await supervisor.stop(abort=True)
        assert not any(supervisor.pids())
