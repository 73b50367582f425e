"""A status for the page, without a supervisor."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from answerback.core.plan import Accept, Engine
from answerback.metrics.snapshot import Counts
from answerback.supervisor.status import LastChange, ListenerStatus, State, Status, WorkerStatus

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def status() -> Status:
    worker = WorkerStatus(
        index=0,
        pid=4711,
        running=True,
        revision=7,
        restarts=0,
        start_time=START,
        start_seconds=0.1,
        loop_lag_seconds=0.0,
    )
    dead = replace(worker, index=1, pid=0, running=False, revision=0, restarts=3)
    return Status(
        state=State.SERVING,
        reason="",
        revision=7,
        etag="abc-7",
        listeners=[
            ListenerStatus(
                "hello", "127.0.0.1:8000", Engine.CALLBACK, Accept.STALL, Counts(1_234_567, 89, 2_000_000, 12)
            )
        ],
        workers=[worker, dead],
        last_applied=LastChange(START, "file"),
        last_rejected=None,
        applied=1,
        rejected=0,
        file=None,
        signals=(),
        certificates_loaded=0,
        certificates_rejected=0,
    )
