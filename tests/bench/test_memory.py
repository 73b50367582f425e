"""bench.memory: which processes are measured, and the measurement."""

import itertools
import resource
from pathlib import Path

import pytest

from bench import memory
from bench.cpu import usable_cores
from bench.roster import ROSTER, started
from bench.server import Server

ROLLUP = """\
55d1c0000000-7ffe00000000 ---p 00000000 00:00 0    [rollup]
Rss:               12000 kB
Pss:                9876 kB
Pss_Dirty:          5000 kB
"""


def test_pss_is_read_in_bytes() -> None:
    assert memory.parse_pss(ROLLUP) == 9876 * 1024
    with pytest.raises(ValueError, match="without Pss"):
        memory.parse_pss("Rss: 1 kB\n")


def test_server_without_descendants_is_its_own_worker(server: Server) -> None:
    assert memory.workers(server.pid) == [server.pid]


def test_possible_connections_are_limited_by_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "setrlimit", lambda _which, _limits: None)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, 4096))
    assert memory.connections_possible(10_000) == 4096 - memory.SPARE_DESCRIPTORS
    assert memory.connections_possible(100) == 100
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (256, resource.RLIM_INFINITY))
    assert memory.connections_possible(10_000) == 10_000


def test_memory_never_steady_is_measured_after_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, where other processes map the same libraries and leave again."""
    weights = itertools.count(0, 2 * memory.STEADY_BYTES)
    clock = itertools.count()
    monkeypatch.setattr(memory, "pss", lambda _pids: next(weights))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    assert memory.steady_pss([1]) == (memory.STEADY_S + 1) * 2 * memory.STEADY_BYTES


def test_connection_memory_is_measured_before_and_after_a_reply(tmp_path: Path) -> None:
    streams = next(contender for contender in ROSTER if contender.key == "streams")
    with started(streams, tmp_path, usable_cores().server) as server:
        weighed = memory.measure_memory("streams", server, 300)
    assert weighed.connections == 300
    assert weighed.before_bytes > 1_000_000
    assert weighed.greater_bytes == max(weighed.connected_bytes, weighed.answered_bytes)
