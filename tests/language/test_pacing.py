import time

import pytest

from answerback.document.document import load
from answerback.language.check import check
from answerback.language.pacing import Pacer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The CPU time of the thread, to be set; then what was slept."""
    found = [0.0]
    monkeypatch.setattr(time, "thread_time", lambda: found[0])
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_pacer_sleeps_half_as_long_as_it_worked(clock: list[float]) -> None:
    pause = Pacer()
    clock[0] += 0.005
    pause()
    assert clock[1:] == [0.0025]
    clock[0] += 0.003
    pause()
    assert clock[1:] == pytest.approx([0.0025, 0.0015])


def test_pacer_adds_up_short_work_before_it_pauses(clock: list[float]) -> None:
    pause = Pacer()
    for _ in range(3):
        clock[0] += 0.0009
        pause()
    assert clock[1:] == pytest.approx([0.00135])


def test_check_pauses_after_each_pattern() -> None:
    text = """
listeners:
- name: a
  address: 127.0.0.1:1
  framing: {pattern: {end: x}}
  rules: [{when: {any: {of: [{regex: a}, {regex: b}]}}}]
"""
    paused: list[float] = []
    assert check(load(text).config, {}, pause=lambda: paused.append(time.monotonic())) == []
    assert len(paused) >= 3
