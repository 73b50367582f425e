"""The system clock is moved an hour forward and two back under a running server: only templates show it.

faketime's library stands between every process of the server and the clock; the monotonic one is left alone, as the
kernel leaves it alone when the time is set.
"""

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.system.conftest import STOP_SECONDS, RunningServer, Start

pytestmark = pytest.mark.programs

CONFIG = """
listeners:
  - name: a
    address: 127.0.0.1:0
    framing: {line: {}}
    limits: {idle_timeout: 1s}
    rules:
      - {when: {equals: slow}, do: [{delay: {fixed: 500ms}}, send: "REVISION\\n"]}
      - {when: {equals: hour}, do: [send: {template: "${now('%H')}\\n"}]}
"""


class Clock:
    """The time of day that the server sees."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.put(0)

    def put(self, hours: int) -> None:
        """Set it a number of hours from the true time."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{hours * 3600:+d}\n")
        new.rename(self._file)

    def under(self) -> tuple[str, ...]:
        """The command under which a process goes by it."""
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        settings = ("FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", f"FAKETIME_TIMESTAMP_FILE={self._file}")
        return ("env", f"LD_PRELOAD={library}", *settings)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "clock")


@pytest.fixture
def running(start_server: Start, clock: Clock) -> Iterator[RunningServer]:
    """With two workers, and a clock of its own."""
    started = start_server(CONFIG, "--workers", "2", under=clock.under())
    yield started
    assert started.stop() == 0


def now() -> datetime:
    return datetime.now(UTC)


def test_template_time_follows_a_clock_step(running: RunningServer, clock: Clock) -> None:
    for hours in (0, 1, -1):
        clock.put(hours)
        before, told, after = now(), running.ask(b"hour\n").decode().strip(), now()
        assert told in {f"{true + timedelta(hours=hours):%H}" for true in (before, after)}


def test_timers_are_unaffected_by_a_clock_step(running: RunningServer, clock: Clock) -> None:
    """A delay and an idle time in progress are as long as they should be: no shorter, nor an hour longer."""
    for hours in (1, -1):
        began = time.monotonic()
        with running.connect() as idle, running.connect() as slow:
            slow.sendall(b"slow\n")
            clock.put(hours)
            assert slow.recv(100) == b"REVISION\n"
            assert time.monotonic() - began >= 0.5
            assert idle.recv(100) == b""
            assert time.monotonic() - began >= 1.0


def test_clock_step_restarts_no_worker_and_keeps_the_history_order(running: RunningServer, clock: Clock) -> None:
    before = processes(running)
    for revision, hours in ((2, 1), (3, -1), (4, 0)):
        clock.put(hours)
        changed = running.cli("apply", "-", stdin=CONFIG.replace("REVISION", str(revision)))
        assert changed.returncode == 0, changed.stderr
        assert running.ask(b"slow\n") == f"{revision}\n".encode()
    assert processes(running) == before
    revisions = json.loads(running.cli("history", "-o", "json").stdout)["revisions"]
    hour = timedelta(hours=1)
    told = [(int(one["number"]), round((datetime.fromisoformat(one["time"]) - now()) / hour)) for one in revisions]
    assert told == [(4, 0), (3, -1), (2, 1), (1, 0)]


def test_clock_step_during_a_drain_does_not_change_its_duration(running: RunningServer, clock: Clock) -> None:
    with running.connect() as slow:
        slow.sendall(b"slow\n")
        began = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        clock.put(-1)
        assert slow.recv(100) == b"REVISION\n"
        assert time.monotonic() - began >= 0.4  # the line may have been read before the signal
        assert running.process.wait(STOP_SECONDS) == 0


def processes(running: RunningServer) -> list[tuple[int, int]]:
    """The workers' process ids, and how often each was started again."""
    return [(worker["pid"], worker["restarts"]) for worker in running.status()["workers"]]
