"""Frames that scripts did not expect, over a whole server: counted by rule, also when a worker is killed."""

import os
import signal

import pytest

from tests.system.conftest import RunningServer, Start
from tests.system.scraping import Metrics, worker_pids
from tests.waiting import eventually

pytestmark = pytest.mark.long

SCRIPTS = """
listeners:
  - name: it
    address: 127.0.0.1:0
    framing: line
    rules:
      - {name: alone, when: a, do: [receive: {framing: line, expect: b}, send: ok]}
      - when: c
        replies: {of: [[receive: {framing: line}, receive: {framing: {fixed: {size_from: "1"}}, expect: d}]]}
      - {name: expects nothing, do: [echo]}
"""


def count(running: RunningServer, rule: str) -> float:
    return Metrics.scrape(running.metrics).value("rule_unexpected_frames_total", listener="it", rule=rule)


def change(running: RunningServer, config: str, answer: bytes) -> None:
    """Apply a configuration whose last rule gives another answer."""
    running.config.write_text(config)
    running.process.send_signal(signal.SIGHUP)
    eventually(lambda: running.ask(b"z\n") == answer)


def closed(running: RunningServer) -> float:
    return Metrics.scrape(running.metrics).value("connections_closed_total", listener="it", reason="unexpected")


@pytest.mark.parametrize("engine", ["callback", "coroutine"])
def test_unexpected_frames_are_counted_by_rule_over_all_workers(start_server: Start, engine: str) -> None:
    running = start_server(SCRIPTS, "--workers", "2", "--engine", engine)
    assert (count(running, "alone"), count(running, "rules[1]")) == (0, 0)
    with pytest.raises(KeyError):
        count(running, "expects nothing")
    for _ in range(6):
        assert running.ask(b"a\nx\n") == b""
    victim = worker_pids(running)[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in worker_pids(running))
    for _ in range(4):
        assert running.ask(b"a\nx\n") == b""
        assert running.ask(b"c\nany\nx") == b""
    assert running.ask(b"a\nb\n") == b"ok"
    eventually(lambda: closed(running) == 14)
    assert (count(running, "alone"), count(running, "rules[1]")) == (10, 4)


def test_count_of_a_rule_goes_on_after_changes_that_keep_its_name(start_server: Start) -> None:
    running = start_server(SCRIPTS)
    assert running.ask(b"a\nx\n") == b""
    change(running, SCRIPTS.replace("expect: b", "expect: bb").replace("echo", "send: first"), b"first")
    assert running.ask(b"a\nb\n") == b""
    assert count(running, "alone") == 2
    change(running, SCRIPTS.replace(", expect: b", "").replace("echo", "send: second"), b"second")
    assert running.ask(b"a\nanything\n") == b"ok"
    assert count(running, "alone") == 2  # it is shown for a while longer
