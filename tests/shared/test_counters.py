"""Shared counters outlive the process that writes them; their lock does not outlive its holder."""

import os
import signal
import subprocess
import sys

import pytest

from answerback.net.admission import close_crashed
from answerback.shared.counters import REGION_CELLS, SHARED_CELLS, CounterLayout, CountersExhausted, SharedCounters
from answerback.shared.listener_counters import BLOCK

HOLD_THE_LOCK = """
import signal, sys
from answerback.net.admission import close_crashed
from answerback.shared.counters import SharedCounters
memory = SharedCounters(int(sys.argv[1]), int(sys.argv[2]))
with memory.locked():
    memory.shared[0] = 7
    print("held", flush=True)
    signal.pause()
"""

TAKE_PLACES = """
import sys
from answerback.core.plan import Limits, ListenerPlan
from answerback.shared.listener_counters import ListenerCounters
from answerback.net.admission import Admission
from answerback.net.admission import close_crashed
from answerback.shared.counters import SharedCounters
memory, slot = SharedCounters(int(sys.argv[1]), int(sys.argv[2])), int(sys.argv[3])
plan = ListenerPlan(name="hello", address="", limits=Limits(max_connections=150, max_connections_per_peer=40))
admission, books = Admission(memory, slot), ListenerCounters(memory.region(slot), 0)
print("ready", flush=True)
sys.stdin.read(1)
answers = [admission.admit(plan, bytes([127, 0, 0, peer]), books.accepted) for _ in range(60) for peer in range(4)]
print(answers.count(None))
"""


def test_counter_regions_do_not_overlap() -> None:
    memory = SharedCounters.create(3)
    for slot in range(3):
        region = memory.region(slot)
        region[0] = region[-1] = slot + 1
    memory.shared[0] = memory.shared[-1] = 9
    assert [(memory.region(slot)[0], memory.region(slot)[-1]) for slot in range(3)] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    assert (len(memory.region(0)), len(memory.shared)) == (REGION_CELLS, SHARED_CELLS)


def test_shared_memory_is_allocated_as_it_is_written() -> None:
    memory = SharedCounters.create(4)
    memory.region(3)[0] = 1
    assert os.fstat(memory.fd).st_size == SharedCounters.size(4)
    assert os.fstat(memory.fd).st_blocks * 512 <= 64 << 10  # a page


def test_shared_counters_mapped_twice_have_the_same_cells() -> None:
    memory = SharedCounters.create(2)
    other = SharedCounters(os.dup(memory.fd), 2)
    memory.region(1)[5] += 3
    assert other.region(1)[5] == 3


def test_lock_is_released_when_its_holder_is_killed() -> None:
    memory = SharedCounters.create(1)
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(memory.fd), "1"]
    with subprocess.Popen(command, pass_fds=(memory.fd,), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        os.kill(holder.pid, signal.SIGKILL)
        with memory.locked():
            assert memory.shared[0] == 7
    assert holder.returncode == -signal.SIGKILL


def test_close_crashed_waits_for_no_lock() -> None:
    memory = SharedCounters.create(2)
    command = [sys.executable, "-c", HOLD_THE_LOCK, str(memory.fd), "2"]
    with subprocess.Popen(command, pass_fds=(memory.fd,), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        close_crashed(memory, 1)
        assert holder.poll() is None
        holder.kill()


def test_limits_are_exact_over_racing_processes() -> None:
    memory = SharedCounters.create(3)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", TAKE_PLACES, str(memory.fd), "3", str(slot)],
            pass_fds=(memory.fd,), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for slot in range(3)
    ]  # fmt: skip
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    admitted = [int(racer.communicate()[0]) for racer in racers]
    assert sum(admitted) == 150
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert [memory.region(slot)[0] for slot in range(3)] == admitted


def test_layout_gives_each_name_its_own_cells() -> None:
    places = CounterLayout()
    hello, rule = places.listener("hello"), places.rule("hello", "rules[0]")
    other = places.listener("other")
    assert places.listener("hello") == hello
    assert places.rule("hello", "rules[0]") == rule
    assert places.rule("other", "rules[0]") not in {hello, rule, other}
    assert sorted(places.listeners.values()) == [hello, other]
    assert rule >= hello + BLOCK
    assert other > rule
    assert list(places.rules) == [("hello", "rules[0]"), ("other", "rules[0]")]


def test_layout_without_free_cells_raises_and_changes_nothing() -> None:
    places = CounterLayout()
    for number in range(REGION_CELLS // BLOCK):
        places.listener(str(number))
    with pytest.raises(CountersExhausted, match="'one more'"):
        places.listener("one more")
    assert places.listener("0") == 0
    assert "one more" not in places.listeners
