"""Numbers that all workers share: each is given once, under a lock between processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from answerback.core.plan import Limits, ListenerPlan
from answerback.net.admission import Admission
from answerback.shared.counters import SharedCounters
from answerback.shared.sequences import SharedSequences
from tests.shared.dying import Fuse, FusedCells

PLACE, OTHER = 7, 8

# Holds the lock until another process waits for it, or its input ends; writes a cell while it has it.
HOLDER = """
import os, select, sys
from answerback.shared.counters import SharedCounters

memory = SharedCounters(int(sys.argv[1]), 2)
inode = f":{os.fstat(memory.fd).st_ino} "


def somebody_waits():
    with open("/proc/locks") as locks:
        return any("->" in line and inode in line for line in locks)


with memory.locked():
    print("locked", flush=True)
    while not somebody_waits() and not select.select([sys.stdin], [], [], 0.002)[0]:
        pass
    memory.sequences[int(sys.argv[2])] = 5
"""


@contextmanager
def locked_elsewhere(memory: SharedCounters) -> Iterator[None]:
    """Another process has the lock, and writes 5 to PLACE before it releases it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(memory.fd), str(PLACE)],
        pass_fds=(memory.fd,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield
        holder.communicate(timeout=20)
        assert holder.returncode == 0
    finally:
        holder.kill()
        holder.communicate()


@pytest.fixture
def claims(memory: SharedCounters) -> SharedSequences:
    return SharedSequences(memory)


@pytest.mark.parametrize("most", [0, 100])
def test_next_number_waits_for_the_lock_of_another_process(
    memory: SharedCounters, claims: SharedSequences, most: int
) -> None:
    with locked_elsewhere(memory):
        assert claims.next_number(PLACE, most) == 5
    assert memory.sequences[PLACE] == 6


def test_sequence_exhausted_while_waiting_for_the_lock_gives_no_number(
    memory: SharedCounters, claims: SharedSequences
) -> None:
    with locked_elsewhere(memory):
        assert claims.next_number(PLACE, 5) is None
    assert memory.sequences[PLACE] == 5


def test_sequence_reset_waits_for_the_lock_of_another_process(memory: SharedCounters, claims: SharedSequences) -> None:
    with locked_elsewhere(memory):
        claims.reset([PLACE])
    assert memory.sequences[PLACE] == 0


LIMITED = ListenerPlan("it", "", limits=Limits(max_connections=9, max_connections_per_peer=9))


@pytest.mark.parametrize(
    "act",
    [
        lambda admission: admission.admit(LIMITED, b"\x7f\0\0\1", lambda: None),
        lambda admission: admission.left(LIMITED, b"\x7f\0\0\1"),
    ],
    ids=["admit", "left"],
)
def test_admission_waits_for_the_lock_of_another_process(
    memory: SharedCounters, act: Callable[[Admission], object]
) -> None:
    admission = Admission(memory, 0)
    admission.admit(LIMITED, b"\x7f\0\0\1", lambda: None)
    with locked_elsewhere(memory):
        act(admission)
        assert memory.sequences[PLACE] == 5, "it did not wait until the other process was done"


def test_lock_is_released_after_use_and_after_an_exception(memory: SharedCounters, claims: SharedSequences) -> None:
    claims.next_number(PLACE, 0)
    claims.reset([PLACE])
    with pytest.raises(ZeroDivisionError), memory.locked():
        raise ZeroDivisionError
    holder = subprocess.run(
        [sys.executable, "-c", HOLDER, str(memory.fd), str(PLACE)],
        pass_fds=(memory.fd,),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert holder.stdout == b"locked\n"


@pytest.mark.parametrize("most", [1, 2, 3])
def test_sequence_gives_exactly_the_maximum_of_numbers(claims: SharedSequences, most: int) -> None:
    assert [claims.next_number(PLACE, most) for _ in range(most + 2)] == [*range(most), None, None]


def test_shared_sequence_without_bound_continues(claims: SharedSequences) -> None:
    assert [claims.next_number(PLACE, 0) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_sequences_of_different_cells_are_independent(claims: SharedSequences) -> None:
    assert [claims.next_number(PLACE, 0), claims.next_number(OTHER, 0), claims.next_number(PLACE, 0)] == [0, 0, 1]


def test_reset_restarts_only_the_named_sequences(claims: SharedSequences) -> None:
    for _ in range(3):
        claims.next_number(PLACE, 3)
        claims.next_number(OTHER, 0)
    claims.reset([PLACE])
    assert [claims.next_number(PLACE, 3), claims.next_number(OTHER, 0)] == [0, 3]


def test_raised_maximum_gives_the_numbers_in_between(claims: SharedSequences) -> None:
    assert [claims.next_number(PLACE, 1), claims.next_number(PLACE, 1)] == [0, None]
    assert [claims.next_number(PLACE, 3) for _ in range(3)] == [1, 2, None]


SECOND = 10**9
STARTED = 3 * SECOND  # since the machine's start


@pytest.fixture
def timed(memory: SharedCounters) -> SharedSequences:
    """Sequences whose clock stands at `STARTED`, and then at what the test writes to another cell."""
    return SharedSequences(memory, lambda: int(memory.sequences[CLOCK]) or STARTED)


CLOCK = 20


def test_window_gives_its_numbers_and_the_next_begins_after_its_end(
    memory: SharedCounters, timed: SharedSequences
) -> None:
    assert [timed.next_number(PLACE, 2, 10.0) for _ in range(3)] == [0, 1, None]
    memory.sequences[CLOCK] = STARTED + 10 * SECOND - 1
    assert timed.next_number(PLACE, 2, 10.0) is None
    memory.sequences[CLOCK] = STARTED + 10 * SECOND
    assert [timed.next_number(PLACE, 2, 10.0) for _ in range(3)] == [0, 1, None]
    memory.sequences[CLOCK] += 9 * SECOND
    assert timed.next_number(PLACE, 2, 10.0) is None


def test_window_without_bound_numbers_from_0_in_each_window(memory: SharedCounters, timed: SharedSequences) -> None:
    assert [timed.next_number(PLACE, 0, 0.5) for _ in range(3)] == [0, 1, 2]
    memory.sequences[CLOCK] = STARTED + SECOND
    assert [timed.next_number(PLACE, 0, 0.5) for _ in range(2)] == [0, 1]


def test_reset_ends_the_window(memory: SharedCounters, timed: SharedSequences) -> None:
    assert [timed.next_number(PLACE, 1, 10.0) for _ in range(2)] == [0, None]
    timed.reset(range(PLACE, PLACE + 2))
    memory.sequences[CLOCK] = STARTED + SECOND
    assert [timed.next_number(PLACE, 1, 10.0) for _ in range(2)] == [0, None]
    memory.sequences[CLOCK] = STARTED + 10 * SECOND
    assert timed.next_number(PLACE, 1, 10.0) is None, "the window began with the first number after the reset"


def test_number_in_a_window_waits_for_the_lock_of_another_process(
    memory: SharedCounters, timed: SharedSequences
) -> None:
    memory.sequences[PLACE + 1] = STARTED
    with locked_elsewhere(memory):
        assert timed.next_number(PLACE, 5, 10.0) is None, "the other process has written 5"
    assert timed.next_number(PLACE, 6, 10.0) == 5


class Killed(Exception):
    """The worker is killed."""


@pytest.mark.parametrize("writes", [1, 2])
@pytest.mark.parametrize("used", [0, 2])
def test_window_of_a_worker_killed_at_any_write_gives_all_its_numbers(
    memory: SharedCounters, writes: int, used: int
) -> None:
    def blow() -> None:
        raise Killed

    sequences = SharedSequences(memory, lambda: int(memory.sequences[CLOCK]))
    memory.sequences[CLOCK] = STARTED
    for _ in range(used):
        sequences.next_number(PLACE, 2, 10.0)
    memory.sequences[CLOCK] = STARTED + 11 * SECOND
    burning: Any = FusedCells(memory.sequences, Fuse(writes, blow))
    dying = SharedSequences(memory, lambda: int(memory.sequences[CLOCK]))
    dying._cells = burning
    with pytest.raises(Killed):
        dying.next_number(PLACE, 2, 10.0)
    memory.sequences[CLOCK] += SECOND
    # The killed worker answered no client by its number, whether its window has begun or not.
    expected = [0, 1, None] if writes == 1 else [1, None, None]
    assert [sequences.next_number(PLACE, 2, 10.0) for _ in range(3)] == expected


CONTENDER = """
import sys
from answerback.shared.counters import SharedCounters
from answerback.shared.sequences import SharedSequences

sequences = SharedSequences(SharedCounters(int(sys.argv[1]), 2))
sys.stdin.read(1)
given = [sequences.next_number(int(sys.argv[2]), 300, 3600.0) for _ in range(400)]
print(*[number for number in given if number is not None])
"""


def test_processes_share_the_numbers_of_a_window(memory: SharedCounters) -> None:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(memory.fd), str(PLACE)],
            pass_fds=(memory.fd,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    processes = [start(), start()]
    given = [int(number) for each in processes for number in each.communicate("go", timeout=20)[0].split()]
    assert sorted(given) == list(range(300))
