"""The restart delay of a slot, and the detection of a crash loop."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from answerback.shared.counters import CounterLayout, SharedCounters
from answerback.shared.listener_counters import ListenerCounters
from answerback.supervisor.options import Timeouts
from answerback.supervisor.workers import slot as module
from answerback.supervisor.workers.process import WorkerProcess
from answerback.supervisor.workers.slot import CrashLoop, Slot, close_crashed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "monotonic", lambda: clock.now)
    return clock


def worker(up_since: float) -> WorkerProcess:
    return cast("WorkerProcess", SimpleNamespace(up_since=up_since))


def test_restart_delay_grows_to_its_maximum(clock: Any) -> None:
    slot = Slot(0, 0, worker(up_since=clock.now))
    assert [slot.delay_after_death(Timeouts()) for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_worker_that_served_long_is_replaced_without_delay(clock: Any) -> None:
    slot = Slot(0, 0, worker(up_since=clock.now))
    for _ in range(5):
        slot.delay_after_death(Timeouts())
    slot.process = worker(up_since=clock.now)
    clock.now += 60
    assert [slot.delay_after_death(Timeouts()), slot.failures] == [0, 1]


@pytest.mark.usefixtures("clock")
def test_worker_that_never_served_is_replaced_with_growing_delay() -> None:
    slot = Slot(0, 0, worker(up_since=0.0))
    assert [slot.delay_after_death(Timeouts()) for _ in range(3)] == [0, 0.5, 1]


def test_five_deaths_in_a_minute_are_a_crash_loop_until_a_minute_without(clock: Any) -> None:
    deaths = CrashLoop(Timeouts())
    seen = []
    for died, seconds in [(4, 40), (1, 0), (0, 59), (1, 0), (0, 59), (0, 1)]:
        for _ in range(died):
            deaths.add()
        clock.now += seconds
        seen.append(deaths.detected)
    assert seen == [False, True, True, True, True, False]


def test_five_deaths_in_more_than_a_minute_are_no_crash_loop(clock: Any) -> None:
    deaths = CrashLoop(Timeouts())
    for _ in range(20):
        deaths.add()
        clock.now += 15
        assert not deaths.detected


def test_slot_without_worker_has_an_empty_status() -> None:
    status = Slot(3, 3).status()
    assert (status.index, status.pid, status.running, status.revision) == (3, 0, False, 0)


def test_close_crashed_closes_the_connections_of_its_slot_only() -> None:
    memory, places = SharedCounters.create(2), CounterLayout()
    blocks = [places.listener("a"), places.listener("b")]
    for slot in range(2):
        for block in blocks:
            ListenerCounters(memory.region(slot), block).accepted()
    assert close_crashed(memory, places, 1) == 2
    assert [ListenerCounters(memory.region(slot), block).open() for slot in range(2) for block in blocks] == [
        1,
        1,
        0,
        0,
    ]
