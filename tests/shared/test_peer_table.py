"""Sequences that count for each peer: exact, bounded, and restarted by a reset."""

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.shared.counters import PEER_CELLS, SharedCounters
from answerback.shared.key_table import BUCKET, KeyTable
from answerback.shared.peer_table import ENTRIES, HEADER, SITE_BUCKETS, PeerTable, Place
from answerback.shared.sequences import SharedSequences
from tests.shared.dying import Fuse, FusedCells

PLACE, OTHER, CLOCK = 7, 8, 20
SECOND = 10**9
ALICE, BOB, UNIX = ip_address("192.0.2.1").packed, ip_address("2001:db8::1").packed, b""


class Counting:
    """Sequences of a small table, as one worker uses it."""

    def __init__(self, memory: SharedCounters, entries: int = 2 * BUCKET) -> None:
        self.evictions = 0
        self.table = PeerTable(memory, entries)
        self.sequences = SharedSequences(memory, lambda: int(memory.sequences[CLOCK]), self.table)

    def evicted(self) -> None:
        self.evictions += 1

    def count(self, peer: bytes, most: int = 0, per: float = 0.0, cell: int = PLACE) -> int | None:
        return self.sequences.next_number_of_peer(cell, peer, most, per, self.evicted)


@pytest.fixture
def counting(memory: SharedCounters) -> Counting:
    return Counting(memory)


def address(number: int) -> bytes:
    return number.to_bytes(4, "big")


@pytest.mark.parametrize("most", [1, 2, 3])
def test_each_peer_gets_exactly_the_maximum_of_numbers(counting: Counting, most: int) -> None:
    for peer in (ALICE, BOB, UNIX):
        assert [counting.count(peer, most) for _ in range(most + 2)] == [*range(most), None, None]


def test_sequences_of_a_peer_are_independent(counting: Counting) -> None:
    assert [counting.count(ALICE, cell=cell) for cell in (PLACE, PLACE, OTHER, PLACE)] == [0, 1, 0, 2]


def test_workers_share_the_numbers_of_a_peer(memory: SharedCounters) -> None:
    one, other = Counting(memory), Counting(memory)
    assert [one.count(ALICE), other.count(ALICE), other.count(BOB), one.count(ALICE)] == [0, 1, 0, 2]


def test_each_peer_has_a_window_of_its_own(memory: SharedCounters, counting: Counting) -> None:
    memory.sequences[CLOCK] = 3 * SECOND
    assert [counting.count(ALICE, 1, 10.0) for _ in range(2)] == [0, None]
    memory.sequences[CLOCK] = 8 * SECOND
    assert counting.count(BOB, 1, 10.0) == 0
    memory.sequences[CLOCK] = 13 * SECOND
    assert [counting.count(ALICE, 1, 10.0), counting.count(BOB, 1, 10.0)] == [0, None]
    memory.sequences[CLOCK] = 18 * SECOND
    assert [counting.count(ALICE, 1, 10.0), counting.count(BOB, 1, 10.0)] == [None, 0]


def test_reset_restarts_all_peers_of_the_named_sequences_alone(memory: SharedCounters, counting: Counting) -> None:
    memory.sequences[CLOCK] = 3 * SECOND
    for peer in (ALICE, BOB):
        for cell in (PLACE, OTHER):
            assert counting.count(peer, 1, 10.0, cell) == 0
    memory.sequences[OTHER + 1] = 5
    counting.sequences.reset([OTHER + 1], [PLACE])
    assert memory.sequences[OTHER + 1] == 0
    for peer in (ALICE, BOB):
        assert [counting.count(peer, 1, 10.0) for _ in range(2)] == [0, None]
        assert counting.count(peer, 1, 10.0, OTHER) is None
    memory.sequences[CLOCK] = 12 * SECOND
    assert counting.count(ALICE, 1, 10.0) is None, "the window began with the first number after the reset"


def test_reset_before_the_first_number_changes_nothing(counting: Counting) -> None:
    counting.sequences.reset([], [PLACE])
    assert [counting.count(ALICE, 2) for _ in range(3)] == [0, 1, None]
    counting.sequences.reset([])
    assert counting.count(ALICE, 2) is None


def test_peer_used_least_recently_makes_room_and_is_counted(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyTable, "bucket", lambda _self, _number: BUCKET)
    for number in range(BUCKET):
        assert counting.count(address(number), 1) == 0
    assert counting.count(address(0), 1) is None, "it is used again, although it gets no number"
    assert counting.evictions == 0
    assert counting.count(ALICE, 1) == 0
    assert counting.evictions == 1
    assert [counting.count(address(number), 1) for number in range(2, BUCKET)] == [None] * (BUCKET - 2)
    assert counting.count(address(0), 1) is None
    assert counting.count(address(1), 1) == 0, "it was forgotten"
    assert counting.evictions == 2


def test_table_of_more_peers_than_it_holds_stays_within_its_cells(memory: SharedCounters) -> None:
    counting = Counting(memory, BUCKET)
    for number in range(20 * BUCKET):
        assert counting.count(address(number), 1) == 0
    assert counting.evictions == 19 * BUCKET
    behind = HEADER + 4 * BUCKET
    assert not any(memory.peers[behind : behind + 4096])
    assert not any(memory.shared[2:4096])


def test_table_fills_the_memory_of_the_peers(memory: SharedCounters) -> None:
    assert HEADER + 4 * ENTRIES == PEER_CELLS == len(memory.peers)
    assert ENTRIES % BUCKET == 0
    assert ENTRIES >= 1 << 18
    table = PeerTable(memory)
    memory.peers[-1] = 9
    assert memory.shared[0] != 9
    last = table.entry(Place(ENTRIES - BUCKET, 5), 0, lambda: None)
    assert last == (HEADER + 2 * ENTRIES - BUCKET, HEADER + 3 * ENTRIES - BUCKET)


def sites(table: PeerTable, peers: list[str]) -> set[int]:
    return {table.place(PLACE, ip_address(peer).packed).bucket for peer in peers}


def test_addresses_of_an_ipv6_site_share_a_few_buckets(memory: SharedCounters) -> None:
    """A client that uses a whole /48 pushes out counts in a few buckets only."""
    table = PeerTable(memory)
    site = [f"2001:db8:7:{number % 50:x}::{number:x}" for number in range(2000)]
    assert len(sites(table, site)) == SITE_BUCKETS
    others = [f"2001:db8:{number:x}::1" for number in range(8, 2000)]
    assert len(sites(table, others)) > 1000
    assert len(sites(table, [f"192.0.2.{number}" for number in range(256)])) > 200


def test_link_local_address_in_another_zone_is_another_peer(counting: Counting) -> None:
    alike = ip_address("fe80::1").packed
    assert [counting.count(alike + zone) for zone in (b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\1")] == [0, 0, 1]


def test_many_peers_cost_no_more_than_few(memory: SharedCounters) -> None:
    """The work for a peer does not grow with the peers in the table: 200,000 are counted in some 3 s of CPU."""
    counting = Counting(memory, ENTRIES)

    def seconds(first: int, peers: int) -> float:
        began = process_time()
        for number in range(first, first + peers):
            counting.count(address(number), 3)
        return process_time() - began

    few = min(seconds(number * 2000, 2000) for number in range(3))
    seconds(10_000, 200_000)
    many = min(seconds(300_000 + number * 2000, 2000) for number in range(3))
    assert many < 5 * few


class Killed(Exception):
    """The worker is killed."""


def blow() -> None:
    raise Killed


def killed_at(memory: SharedCounters, writes: int, act: Callable[[Counting], object]) -> bool:
    """Let a worker act that is killed at a write to the table; whether it made as many."""
    dying = Counting(memory)
    burning: Any = FusedCells(memory.peers, Fuse(writes, blow))
    dying.table.cells = burning
    try:
        act(dying)
    except Killed:
        return True
    return False


@pytest.mark.parametrize("per", [0.0, 10.0])
@pytest.mark.parametrize("used", [0, 1])
@pytest.mark.parametrize("restarted", [False, True])
def test_worker_killed_at_any_write_leaves_a_peer_all_numbers_but_its_own(
    memory: SharedCounters, per: float, used: int, restarted: bool
) -> None:
    counting = Counting(memory)
    memory.sequences[CLOCK] = 3 * SECOND
    writes = 0
    while True:
        writes += 1
        peer = address(writes)
        for _ in range(used):
            counting.count(peer, 2, per)
        if restarted:
            counting.sequences.reset([], [PLACE])
        if not killed_at(memory, writes, lambda dying, peer=peer: dying.count(peer, 2, per)):  # type: ignore[misc]
            break
        given = [counting.count(peer, 2, per) for _ in range(3)]
        whole = [0, 1] if restarted or not used else [1]
        assert given in ([*whole, None, None][:3], [*whole[1:], None, None, None][:3]), writes
    assert writes > (5 if restarted or not used else 2)


def test_worker_killed_while_it_evicts_leaves_no_peer_with_the_numbers_of_another(
    memory: SharedCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyTable, "bucket", lambda _self, _number: 0)
    counting = Counting(memory)
    for number in range(BUCKET):
        assert [counting.count(address(number), 2) for _ in range(2)] == [0, 1]
    for writes in range(1, 9):
        peer = address(1000 + writes)
        killed_at(memory, writes, lambda dying, peer=peer: dying.count(peer, 2))  # type: ignore[misc]
        given = [counting.count(peer, 2) for _ in range(3)]
        assert given in ([0, 1, None], [1, None, None]), writes
    assert counting.count(address(BUCKET - 1), 2) is None, "used most recently of the first ones"


CONTENDER = """
import sys
from answerback.shared.counters import SharedCounters
from answerback.shared.sequences import SharedSequences

sequences = SharedSequences(SharedCounters(int(sys.argv[1]), 2))
sys.stdin.read(1)
for peer in (b"1234", b"5678"):
    given = [sequences.next_number_of_peer(7, peer, 300, 3600.0, exit) for _ in range(400)]
    print(*[number for number in given if number is not None])
"""


def test_processes_share_the_numbers_of_each_peer(memory: SharedCounters) -> None:
    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", CONTENDER, str(memory.fd)],
            pass_fds=(memory.fd,),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    processes = [start(), start()]
    lines = [each.communicate("go", timeout=20)[0].splitlines() for each in processes]
    for parts in zip(*lines, strict=True):
        assert sorted(int(number) for part in parts for number in part.split()) == list(range(300))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["count"] * 8 + ["reset", "pass"]), st.integers(0, 1), st.integers(0, 7), st.integers(0, 1)
        ),
        max_size=120,
    )
)
def test_counts_are_those_of_a_dict_for_any_sequence_of_acts(acts: list[tuple[str, int, int, int]]) -> None:
    """Two workers count, reset and let windows pass, in a table in which one of three peers is forgotten each time."""
    memory = SharedCounters.create(2)
    memory.sequences[CLOCK] = 1
    workers = [SharedSequences(memory, lambda: int(memory.sequences[CLOCK]), SmallTable(memory)) for _ in range(2)]
    model = Model()
    for act, worker, peer, cell in acts:
        if act == "reset":
            workers[worker].reset([], [cell])
            model.reset(cell)
        elif act == "pass":
            memory.sequences[CLOCK] += 4 * SECOND
            model.now += 4 * SECOND
        else:
            most, per = (3, 0.0) if cell else (2, 10.0)
            found = workers[worker].next_number_of_peer(cell, address(peer), most, per, model.expect_eviction)
            assert found == model.count(cell, peer, most, per)
    assert model.expected == model.evicted


class SmallTable(PeerTable):
    """A table of one bucket, of which all but `ROOM` entries are taken by others for good."""

    def __init__(self, memory: SharedCounters) -> None:
        super().__init__(memory, BUCKET)
        for entry in range(ROOM, BUCKET):
            memory.peers[HEADER + entry] = entry
            memory.peers[HEADER + 3 * BUCKET + entry] = 1 << 60


ROOM = 5


class Model:
    """The same with a dict."""

    def __init__(self) -> None:
        self.of: OrderedDict[tuple[int, int], tuple[int, int]] = OrderedDict()
        self.resets: set[tuple[int, int]] = set()
        self.now = 1
        self.evicted = self.expected = 0

    def expect_eviction(self) -> None:
        self.expected += 1

    def count(self, cell: int, peer: int, most: int, per: float) -> int | None:
        number, began = self.of.pop((cell, peer), (-1, 0))
        if number < 0:
            number = 0
            if len(self.of) == ROOM:
                self.of.popitem(last=False)
                self.evicted += 1
        if per and (not began or self.now - began >= per * SECOND):
            number, starts = 0, self.now
        else:
            starts = began
        given = None if number >= most else number
        self.of[cell, peer] = (number if given is None else number + 1), (began if given is None else starts)
        return given

    def reset(self, cell: int) -> None:
        for of, peer in self.of:
            if of == cell:
                self.of[of, peer] = (0, 0)
