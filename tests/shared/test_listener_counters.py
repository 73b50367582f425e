"""The counters of a listener balance at rest, also after a kill -9 at any write."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.actions import CloseReason
from answerback.net.admission import Admission, close_crashed, entries, row
from answerback.shared.counters import SharedCounters
from answerback.shared.listener_counters import (
    ACCEPT_ERROR_NAMES,
    ACCEPT_ERRORS,
    ACCEPT_FAILED,
    ACCEPTED,
    AWAITING_HEADER,
    BLOCK,
    CLOSED,
    DELAY_NANOSECONDS,
    DURATION,
    DURATION_BOUNDS,
    DURATION_NANOSECONDS,
    OPEN,
    PROBES,
    RECEIVED_BYTES,
    REJECTED,
    REJECTIONS,
    REQUESTS,
    SENT_BYTES,
    SESSION_ERRORS,
    TRUNCATED,
    UNMATCHED,
    Cells,
    ListenerCounters,
)
from tests.shared.dying import LIMITED, MOVES, PEER, RULE, Fuse, keep_books, moved

ROOT = Path(__file__).resolve().parents[2]
CRASHED = CLOSED + CloseReason.WORKER_CRASHED


@pytest.fixture
def cells() -> Cells:
    return SharedCounters.create(1).region(0)


@pytest.fixture
def books(cells: Cells) -> ListenerCounters:
    return ListenerCounters(cells, 0)


def balance(cells: Cells) -> tuple[int, int]:
    return cells[ACCEPTED] + cells[AWAITING_HEADER], sum(cells[CLOSED : CLOSED + len(CloseReason)]) + cells[OPEN]


# ── Each transition moves its own cells ──


def test_connection_is_counted_as_accepted_open_and_closed(books: ListenerCounters, cells: Cells) -> None:
    books.accepted()
    assert moved(cells) == {ACCEPTED: 1, OPEN: 1}
    assert books.open() == 1
    books.closed(CloseReason.SERVER_CLOSE, probe=False)
    assert moved(cells) == {ACCEPTED: 1, CLOSED + CloseReason.SERVER_CLOSE: 1}


def test_connection_without_data_is_counted_in_addition_to_its_reason(books: ListenerCounters, cells: Cells) -> None:
    books.accepted()
    books.closed(CloseReason.PEER_RESET, probe=True)
    assert moved(cells) == {ACCEPTED: 1, CLOSED + CloseReason.PEER_RESET: 1, PROBES: 1}


def test_listener_counters_count_requests(books: ListenerCounters, cells: Cells) -> None:
    books.requested(RULE, 1)
    books.requested(RULE, 16)
    books.unmatched(2)
    books.matched(RULE)
    books.truncated()
    assert moved(cells) == {REQUESTS: 19, UNMATCHED: 2, RULE: 18, TRUNCATED: 1}


def test_listener_counters_count_bytes(books: ListenerCounters, cells: Cells) -> None:
    books.received(3)
    books.received(1 << 40)
    books.sent(5)
    books.sent(0)
    assert moved(cells) == {RECEIVED_BYTES: (1 << 40) + 3, SENT_BYTES: 5}


@pytest.mark.parametrize(
    "seconds, bucket",
    [
        (0.0, 0),
        (DURATION_BOUNDS[0], 0),  # a bound is part of its bucket
        (DURATION_BOUNDS[0] * 1.001, 1),
        (1.0, DURATION_BOUNDS.index(1.0)),
        (60.0, len(DURATION_BOUNDS) - 1),
        (61.0, len(DURATION_BOUNDS)),
    ],
)
def test_duration_is_counted_in_its_bucket(books: ListenerCounters, cells: Cells, seconds: float, bucket: int) -> None:
    books.answered(seconds, 2)
    assert moved(cells) == {place: count for place, count in (
        (DURATION + bucket, 2), (DURATION_NANOSECONDS, 2 * int(seconds * 1e9)),
    ) if count}  # fmt: skip


def test_listener_counters_sum_delays_exactly(books: ListenerCounters, cells: Cells) -> None:
    for _ in range(10):
        books.delayed(0.29)  # 0.29 * 1e9 is a little less than 290,000,000
    assert moved(cells) == {DELAY_NANOSECONDS: 2_900_000_000}


def test_listener_counters_count_failures(books: ListenerCounters, cells: Cells) -> None:
    books.failed()
    for limit in REJECTIONS:
        books.rejected(limit)
    for errno_name in (*ACCEPT_ERRORS, "EIO"):
        books.accept_failed(errno_name)
    expected = {SESSION_ERRORS: 1, REJECTED: 1, REJECTED + 1: 1}
    expected |= {ACCEPT_FAILED + place: 1 for place in range(len(ACCEPT_ERRORS))}
    expected[ACCEPT_FAILED + ACCEPT_ERROR_NAMES.index("other")] = 2
    assert moved(cells) == expected


def test_listener_counter_ranges_do_not_overlap() -> None:
    assert SESSION_ERRORS < CLOSED
    assert CLOSED + len(CloseReason) <= DURATION
    assert DURATION + len(DURATION_BOUNDS) + 1 <= REJECTED
    assert REJECTED + len(REJECTIONS) <= ACCEPT_FAILED
    assert ACCEPT_FAILED + len(ACCEPT_ERRORS) <= BLOCK


def test_counters_of_listeners_do_not_overlap(cells: Cells) -> None:
    first, second = ListenerCounters(cells, 0), ListenerCounters(cells, BLOCK)
    second.accepted()
    second.failed()
    assert first.close_crashed() == 0
    assert not any(cells[:BLOCK])


# ── After a death ──


def test_close_crashed_counts_open_connections_as_crashed(books: ListenerCounters, cells: Cells) -> None:
    for _ in range(5):
        books.accepted()
    books.closed(CloseReason.PEER_EOF, probe=False)
    assert books.close_crashed() == 4
    assert moved(cells) == {ACCEPTED: 5, CLOSED + CloseReason.PEER_EOF: 1, CRASHED: 4}


def test_close_crashed_twice_changes_nothing_more(books: ListenerCounters, cells: Cells) -> None:
    books.accepted()
    assert (books.close_crashed(), books.close_crashed()) == (1, 0)
    assert balance(cells) == (1, 1)


def writes_of(*moves: str) -> int:
    """How many writes to the memory the moves make."""
    fuse = Fuse(1 << 30, lambda: None)
    keep_books(SharedCounters.create(2), 0, moves, fuse)
    return (1 << 30) - fuse.writes


def run_until_killed(memory: SharedCounters, writes: int, *moves: str) -> int:
    """Have another process make the moves in slot 0, killed at the write; its exit status."""
    command = [
        sys.executable,
        "-m",
        "tests.shared.dying",
        str(memory.fd),
        str(memory.slots),
        "0",
        str(writes),
        *moves,
    ]
    return subprocess.run(command, cwd=ROOT, pass_fds=(memory.fd,), check=False, stdout=subprocess.DEVNULL).returncode


BEFORE = ("admitted", "received", "requested", "sent", "answered", "awaited")


def every_write() -> list[tuple[str, int, int]]:
    of = {move: writes_of(*BEFORE, move) - writes_of(*BEFORE) for move in MOVES}
    return [(move, writes, of[move]) for move in MOVES for writes in range(1, of[move] + 1)]


@pytest.mark.parametrize("move, writes, of", every_write())
def test_listener_counters_balance_after_a_kill_at_any_write(move: str, writes: int, of: int) -> None:
    whole, memory = SharedCounters.create(2), SharedCounters.create(2)
    keep_books(whole, 0, BEFORE, Fuse(0, lambda: None))
    start = moved(whole.region(0))
    keep_books(whole, 0, (move,), Fuse(0, lambda: None))
    finish = moved(whole.region(0))

    assert run_until_killed(memory, writes_of(*BEFORE) + writes, *BEFORE, move) == -signal.SIGKILL
    cells = memory.region(0)
    left = moved(cells)
    # Only what the worker was doing at that instant may be missing.
    for place in start.keys() | finish.keys() | left.keys():
        low, high = sorted((start.get(place, 0), finish.get(place, 0)))
        assert low <= left.get(place, 0) <= high, place
    if writes == of:
        assert left == finish

    ListenerCounters(cells, 0).close_crashed()
    close_crashed(memory, 0)
    accepted, accounted = balance(cells)
    assert accepted == accounted
    assert cells[OPEN] == cells[AWAITING_HEADER] == 0
    successor = Admission(memory, 1)
    fresh = ListenerCounters(memory.region(1), 0)
    answers = [successor.admit(LIMITED, PEER, fresh.accepted) for _ in range(4)]
    assert answers == [None, None, None, "max_connections"]


def test_listener_counters_of_a_worker_not_killed_are_unchanged_by_the_fuse() -> None:
    """The fuse itself changes nothing."""
    whole, memory = SharedCounters.create(2), SharedCounters.create(2)
    moves = ("accepted", "accepted", "awaited", "awaited", *MOVES)
    keep_books(whole, 0, moves, Fuse(0, lambda: None))
    assert run_until_killed(memory, 0, *moves) == 0
    assert moved(memory.region(0)) == moved(whole.region(0))


class Killed(BaseException):
    """In place of SIGKILL, where thousands are needed: the content of the memory is the same."""


def kill() -> None:
    raise Killed


@given(
    lives=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 60), st.lists(st.sampled_from(list(MOVES)), max_size=20)),
        max_size=6,
    )
)
def test_listener_counters_balance_over_any_lives_and_deaths(lives: list[tuple[int, int, list[str]]]) -> None:
    memory = SharedCounters.create(2)
    for slot, writes, wanted in lives:
        moves = possible(wanted)
        try:
            keep_books(memory, slot, moves, Fuse(writes, kill))
        except Killed:
            pass
        else:  # it dies between two transitions
            cells = memory.region(slot)
            assert balance(cells)[0] == balance(cells)[1]
        ListenerCounters(memory.region(slot), 0).close_crashed()
        close_crashed(memory, slot)
        for index in range(2):
            cells = memory.region(index)
            assert balance(cells)[0] == balance(cells)[1]
            assert cells[OPEN] == 0
            assert cells[CRASHED] <= cells[ACCEPTED]
    size = entries(2)
    for index in range(2):
        first = row(size, index)
        assert not any(memory.shared[first : first + 256])


def possible(wanted: list[str]) -> list[str]:
    """The moves, without closing what is not open."""
    open_, counted, awaited, moves = 0, 0, 0, []
    for move in wanted:
        if move in {"closed", "probe"} and open_ == counted + awaited:
            continue
        if move in {"announced", "forgotten", "late"} and not awaited:
            continue
        if move == "left" and not counted:
            continue
        if move == "admitted" and open_ < 3:
            open_, counted = open_ + 1, counted + 1
        open_ += move in {"accepted", "awaited"}
        open_ -= move in {"closed", "probe", "left", "forgotten", "late"}
        awaited += move == "awaited"
        awaited -= move in {"announced", "forgotten", "late"}
        counted -= move == "left"
        moves.append(move)
    return moves
