"""Shared variables: compared with a dict, by several processes, some of which are killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.expressions import EvaluationError
from answerback.core.expressions.values import LARGEST, SMALLEST
from answerback.core.shared_view import SharedWriteFailed
from answerback.shared import variables
from answerback.shared.variables import MAX_KEY_BYTES, SharedVariables, clear
from answerback.shared.variables_folder import variables_folder
from tests.waiting import eventually


@pytest.fixture
def folder() -> Iterator[Path]:
    with variables_folder() as made:
        yield made


@pytest.fixture
def shared(folder: Path) -> Iterator[SharedVariables]:
    with closing(SharedVariables(folder)) as opened:
        yield opened


KEYS = st.sampled_from([b"a", b"b", b"\0", b"k" * MAX_KEY_BYTES])
CHANGES = st.one_of(
    st.tuples(st.just("put"), KEYS, st.sampled_from([b"", b"1", b"-5", b"x", b"v" * 10_000])),
    st.tuples(st.just("delete"), KEYS, st.none()),
    st.tuples(st.just("add"), KEYS, st.integers(SMALLEST, LARGEST)),
    st.tuples(st.just("clear"), st.none(), st.none()),
)


@given(st.lists(CHANGES, max_size=12))
def test_variables_behave_like_a_dict(changes: list[tuple[str, bytes, bytes | int | None]]) -> None:
    model: dict[bytes, bytes] = {}
    with variables_folder() as folder, closing(SharedVariables(folder)) as shared:
        for change, key, value in changes:
            snapshot = shared.view()
            match change, value:
                case "put", bytes():
                    snapshot.put(key, value)
                    model[key] = value
                case "delete", _:
                    snapshot.delete(key)
                    model.pop(key, None)
                case "add", int():
                    former = model.get(key, b"0")
                    total = int(former) + value if former.lstrip(b"-").isdigit() else None
                    if total is None or not SMALLEST <= total <= LARGEST:
                        with pytest.raises(EvaluationError):
                            snapshot.add(key, value)
                    else:
                        model[key] = snapshot.add(key, value)
                        assert model[key] == b"%d" % total
                case _:
                    shared.clear()
                    model.clear()
            for known in (b"a", b"b", b"\0", b"k" * MAX_KEY_BYTES):
                assert snapshot.get(known) == model.get(known)
            assert shared.usage() == (len(model), sum(len(key) + len(value) for key, value in model.items()))


def test_event_sees_one_snapshot_and_its_own_writes(shared: SharedVariables) -> None:
    shared.put(b"a", b"old")
    snapshot = shared.view()
    assert snapshot.get(b"a") == b"old"
    shared.put(b"a", b"new")
    shared.put(b"b", b"new")
    assert (snapshot.get(b"a"), snapshot.get(b"b")) == (b"old", None)
    snapshot.put(b"c", b"own")
    snapshot.delete(b"a")
    assert (snapshot.get(b"a"), snapshot.get(b"b"), snapshot.get(b"c")) == (None, None, b"own")
    snapshot = shared.view()
    assert (snapshot.get(b"a"), snapshot.get(b"b"), snapshot.get(b"c")) == (None, b"new", b"own")


def test_view_that_was_interrupted_keeps_its_own_writes(shared: SharedVariables) -> None:
    shared.put(b"a", b"1")
    first, second = shared.view(), shared.view()
    assert first.get(b"a") == b"1"
    first.put(b"own", b"x")
    shared.put(b"a", b"2")
    assert (second.get(b"a"), second.get(b"own")) == (b"2", b"x")
    shared.put(b"own", b"y")
    assert (first.get(b"a"), first.get(b"own")) == (b"2", b"x")


def test_reading_asks_once_to_be_released(folder: Path) -> None:
    asked: list[None] = []
    with closing(SharedVariables(folder, lambda: asked.append(None))) as shared:
        view = shared.view()
        view.put(b"a", b"1")
        assert view.get(b"a") == b"1"
        assert not asked, "its own writes need no reading"
        assert (view.get(b"b"), view.get(b"c"), shared.view().get(b"a")) == (None, None, b"1")
        assert len(asked) == 1
        shared.release()
        shared.release()
        shared.put(b"b", b"new")
        assert view.get(b"b") == b"new"
        assert len(asked) == 2


def test_add_uses_the_newest_value_whatever_the_snapshot_sees(shared: SharedVariables) -> None:
    snapshot = shared.view()
    assert snapshot.get(b"n") is None
    shared.put(b"n", b"41")
    assert snapshot.add(b"n", 1) == b"42"
    assert snapshot.get(b"n") == b"42"


@pytest.mark.parametrize("value", [b"", b"x", b"1.5", b" 1", b"+1", b"1" * 21])
def test_add_to_bytes_that_are_no_number_changes_nothing(shared: SharedVariables, value: bytes) -> None:
    shared.put(b"n", value)
    with pytest.raises(EvaluationError):
        shared.add(b"n", 1)
    snapshot = shared.view()
    assert snapshot.get(b"n") == value


@pytest.mark.parametrize("start, by", [(LARGEST, 1), (SMALLEST, -1)])
def test_sum_out_of_range_changes_nothing(shared: SharedVariables, start: int, by: int) -> None:
    assert shared.add(b"n", start) == b"%d" % start
    with pytest.raises(EvaluationError):
        shared.add(b"n", by)
    assert shared.add(b"n", 0) == b"%d" % start


@pytest.mark.parametrize("key", [b"", b"k" * (MAX_KEY_BYTES + 1), b"k" * (1 << 20)])
def test_key_of_invalid_length_cannot_be_stored_and_is_absent(shared: SharedVariables, key: bytes) -> None:
    snapshot = shared.view()
    for write in (lambda: snapshot.put(key, b"v"), lambda: snapshot.add(key, 1)):
        with pytest.raises(SharedWriteFailed, match="1 to 511 bytes"):
            write()
    snapshot.delete(key)
    assert snapshot.get(key) is None
    assert shared.usage() == (0, 0)


def test_bytes_are_bounded_and_a_refused_write_changes_nothing(
    shared: SharedVariables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variables, "MAX_BYTES", 100)
    shared.put(b"a", b"x" * 99)
    for write in (lambda: shared.put(b"a", b"x" * 100), lambda: shared.put(b"b", b""), lambda: shared.add(b"b", 0)):
        with pytest.raises(SharedWriteFailed, match="the variables would take more than"):
            write()
    assert shared.usage() == (1, 100)
    shared.put(b"a", b"x" * 98)
    shared.put(b"b", b"")
    shared.delete(b"a")
    shared.put(b"c", b"x" * 98)
    assert shared.usage() == (2, 100)


def test_number_of_keys_is_bounded(shared: SharedVariables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "MAX_KEYS", 2)
    shared.put(b"a", b"")
    shared.add(b"b", 1)
    with pytest.raises(SharedWriteFailed, match="there are 2 variables"):
        shared.put(b"c", b"")
    shared.put(b"a", b"changed")
    shared.delete(b"b")
    shared.put(b"c", b"")


@pytest.mark.long
def test_variables_reach_their_bounds_within_the_map(shared: SharedVariables) -> None:
    """Whatever their sizes: the map has room for the bytes that are allowed."""
    for size in (2_100, 700, 65_537):
        shared.clear()
        count = min(variables.MAX_KEYS, variables.MAX_BYTES // (size + 8))
        for number in range(count):
            shared.put(b"%08d" % number, bytes(size))
        with pytest.raises(SharedWriteFailed, match="would take more than"):
            shared.put(b"last", bytes(size))
        for number in range(0, count, 7):
            shared.put(b"%08d" % number, b"\1" * size)
        assert shared.usage() == (count, count * (size + 8))


def test_write_for_which_the_machine_has_no_room_fails_and_later_ones_succeed(folder: Path) -> None:
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from answerback.core.shared_view import SharedWriteFailed\n"
        "from answerback.shared.variables import SharedVariables\n"
        "shared = SharedVariables(Path(sys.argv[1]))\n"
        "shared.put(b'a', b'1')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    shared.put(b'b', bytes(1 << 20))\n"
        "except SharedWriteFailed:\n"
        "    print('no room')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "shared.put(b'b', bytes(1 << 20))\n"
        "print(shared.view().get(b'a'), len(shared.view().get(b'b')))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("no room\nb'1' 1048576\n", "", 0)


ADDER = """
import sys
from pathlib import Path
from answerback.shared.variables import SharedVariables
shared = SharedVariables(Path(sys.argv[1]))
mine = sys.argv[2].encode()
while True:
    shared.add(b"total", 1)
    shared.add(mine, 1)
"""


def test_counts_of_several_processes_are_exact_although_some_are_killed(folder: Path, shared: SharedVariables) -> None:
    """A sum is never lost or counted twice: each process adds to the total, then to its own count."""
    command = [sys.executable, "-c", ADDER, str(folder)]
    adders = [subprocess.Popen([*command, f"adder{number}"]) for number in range(3)]
    try:
        eventually(lambda: all(count(shared, f"adder{number}") for number in range(3)), what="the first sums")
        for round_ in range(3):
            victim = adders.pop(0)
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            before = count(shared, "total")
            adders.append(subprocess.Popen([*command, f"adder{3 + round_}"]))
            eventually(partial(more_than, shared, before + 100), what="more sums")
            name = f"adder{3 + round_}"
            eventually(partial(count, shared, name), what="sums of the new one")
    finally:
        for adder in adders:
            adder.kill()
            adder.wait()
    own = sum(count(shared, f"adder{number}") for number in range(6))
    assert own <= count(shared, "total") <= own + 6, "each has at most one that it did not count for itself"


def more_than(shared: SharedVariables, number: int) -> bool:
    return count(shared, "total") > number


def count(shared: SharedVariables, name: str) -> int:
    snapshot = shared.view()
    value = snapshot.get(name.encode())
    return int(value or 0)


def test_snapshots_of_killed_processes_do_not_keep_their_places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variables, "READERS", 4)
    reader = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from answerback.shared import variables\n"
        "variables.READERS = 2\n"
        "shared = variables.SharedVariables(Path(sys.argv[1]))\n"
        "shared.view().get(b'a')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", reader, str(folder)], check=False).returncode == -signal.SIGKILL
        with closing(SharedVariables(folder)) as shared:
            assert count(shared, "a") == 0


CLEAR = "import sys; from pathlib import Path; from answerback.shared.variables import clear; clear(Path(sys.argv[1]))"


def test_clearing_removes_all_variables_for_every_process(folder: Path, shared: SharedVariables) -> None:
    shared.put(b"a", b"1")
    shared.add(b"b", 5)
    view = shared.view()
    assert view.get(b"a") == b"1"
    subprocess.run([sys.executable, "-c", CLEAR, str(folder)], check=True)
    assert view.get(b"b") == b"5", "this event goes on as it began"
    assert shared.usage() == (0, 0)
    assert shared.view().get(b"b") is None
    assert shared.add(b"b", 1) == b"1"


def test_clearing_without_a_file_makes_none(folder: Path) -> None:
    clear(folder)
    assert list(folder.iterdir()) == []


def test_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        SharedVariables(tmp_path / "gone")
