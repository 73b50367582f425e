"""Connection limits over all slots: exact, even if a worker dies."""

import mmap
from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.actions import CloseReason
from answerback.core.plan import Limits, ListenerPlan
from answerback.net import admission
from answerback.net.admission import HEADER, Admission, close_crashed, entries, row
from answerback.shared.counters import SHARED_CELLS, SharedCounters
from answerback.shared.key_table import BUCKET, KeyTable
from answerback.shared.listener_counters import ListenerCounters

ALICE, BOB = ip_address("192.0.2.1").packed, ip_address("2001:db8::1").packed
PLAN = ListenerPlan(name="hello", address="127.0.0.1:0")


def limited(*, most: int = 0, per_peer: int = 0, block: int = 0) -> ListenerPlan:
    return replace(PLAN, block=block, limits=Limits(max_connections=most, max_connections_per_peer=per_peer))


class ListenState:
    """A slot as a driver uses it."""

    def __init__(self, memory: SharedCounters, slot: int) -> None:
        self.memory, self.slot = memory, slot
        self.admission = Admission(memory, slot)

    def books(self, plan: ListenerPlan) -> ListenerCounters:
        return ListenerCounters(self.memory.region(self.slot), plan.block)

    def enter(self, plan: ListenerPlan, peer: bytes = ALICE) -> str | None:
        return self.admission.admit(plan, peer, self.books(plan).accepted)

    def leave(self, plan: ListenerPlan, peer: bytes = ALICE) -> None:
        self.books(plan).closed(CloseReason.PEER_EOF, probe=False)
        if plan.limits.max_connections_per_peer:
            self.admission.left(plan, peer)

    def die(self, plan: ListenerPlan) -> None:
        self.books(plan).close_crashed()
        close_crashed(self.memory, self.slot)


@pytest.fixture
def doors() -> list[ListenState]:
    memory = SharedCounters.create(3)
    return [ListenState(memory, slot) for slot in range(3)]


def test_max_connections_holds_over_all_slots(doors: list[ListenState]) -> None:
    plan = limited(most=2)
    assert doors[0].enter(plan) is None
    assert doors[1].enter(plan) is None
    assert doors[2].enter(plan) == "max_connections"
    doors[0].leave(plan)
    assert doors[2].enter(plan) is None
    assert [door.books(plan).open() for door in doors] == [0, 1, 1]


def test_max_connections_per_peer_holds_over_all_slots_and_for_each_peer_alone(doors: list[ListenState]) -> None:
    plan = limited(per_peer=2)
    assert [doors[slot].enter(plan, ALICE) for slot in (0, 1, 2)] == [None, None, "max_connections_per_peer"]
    assert [doors[slot].enter(plan, BOB) for slot in (2, 2, 0)] == [None, None, "max_connections_per_peer"]
    doors[1].leave(plan, ALICE)
    assert doors[2].enter(plan, ALICE) is None
    assert doors[2].enter(plan, BOB) == "max_connections_per_peer"


def test_peer_limit_applies_to_each_listener_separately(doors: list[ListenState]) -> None:
    one, other = limited(per_peer=1), limited(per_peer=1, block=200)
    assert doors[0].enter(one) is None
    assert doors[1].enter(other) is None
    assert doors[2].enter(one) == doors[2].enter(other) == "max_connections_per_peer"


def test_connection_past_a_limit_leaves_the_shared_cells_unchanged(doors: list[ListenState]) -> None:
    plan = limited(most=1, per_peer=1)
    assert doors[0].enter(plan) is None
    before = [door.memory.region(door.slot)[:200].tolist() for door in doors]
    assert doors[1].enter(plan, BOB) == "max_connections"
    assert doors[1].enter(limited(most=9, per_peer=1)) == "max_connections_per_peer"
    assert [door.memory.region(door.slot)[:200].tolist() for door in doors] == before


def test_admission_without_limits_admits_all_and_writes_nothing(doors: list[ListenState]) -> None:
    assert [doors[0].enter(PLAN) for _ in range(50)] == [None] * 50
    assert not any(doors[0].memory.shared[HEADER : HEADER + entries(3)])


def test_admission_limit_set_later_counts_connections_from_then_on(doors: list[ListenState]) -> None:
    plan = limited(per_peer=1)
    assert doors[0].enter(PLAN) is None
    assert doors[0].enter(plan) is None
    assert doors[0].enter(plan) == "max_connections_per_peer"


def test_uncounted_connection_that_leaves_frees_no_counted_place(doors: list[ListenState]) -> None:
    plan = limited(per_peer=1)
    assert doors[0].enter(plan) is None
    doors[1].admission.left(plan, ALICE)
    doors[1].admission.left(plan, BOB)
    assert doors[2].enter(plan) == "max_connections_per_peer"


def test_close_crashed_of_a_slot_frees_only_its_admission_places(doors: list[ListenState]) -> None:
    plan = limited(most=4, per_peer=2)
    for door, peer in ((doors[0], ALICE), (doors[0], BOB), (doors[1], ALICE)):
        assert door.enter(plan, peer) is None
    doors[0].die(plan)
    assert doors[2].enter(plan, ALICE) is None
    assert doors[2].enter(plan, ALICE) == "max_connections_per_peer"
    assert [doors[2].enter(plan, BOB) for _ in range(2)] == [None, None]
    assert doors[2].enter(plan, b"\x7f\0\0\1") == "max_connections"


def test_close_crashed_frees_admission_places_without_madv_remove(
    doors: list[ListenState], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmap, "MADV_REMOVE", 12345)
    plan = limited(per_peer=1)
    assert doors[0].enter(plan) is None
    close_crashed(doors[0].memory, 0)
    assert doors[1].enter(plan) is None


def test_admission_place_of_a_peer_that_left_is_reused(
    doors: list[ListenState], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyTable, "bucket", lambda _self, _key: 0)
    plan = limited(per_peer=1)
    for number in range(3 * BUCKET):
        peer = number.to_bytes(4, "big")
        assert doors[number % 3].enter(plan, peer) is None
        doors[number % 3].leave(plan, peer)


def test_full_bucket_rejects_new_peers_until_a_peer_leaves_it(
    doors: list[ListenState], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyTable, "bucket", lambda _self, _key: BUCKET)
    plan = limited(per_peer=2)
    names = [number.to_bytes(4, "big") for number in range(BUCKET)]
    for number, peer in enumerate(names):
        assert doors[number % 2].enter(plan, peer) is None
    assert doors[2].enter(plan, BOB) == "max_connections_per_peer"
    assert doors[2].enter(plan, names[7]) is None  # who has a place keeps it
    doors[0].leave(plan, names[0])
    assert doors[2].enter(plan, BOB) is None
    assert doors[2].enter(plan, ALICE) == "max_connections_per_peer"
    doors[1].die(plan)
    assert doors[2].enter(plan, ALICE) is None


def test_admission_key_is_shared_by_slots_and_differs_between_servers(doors: list[ListenState]) -> None:
    keys = {door.admission._key(0, ALICE) for door in doors}
    assert len(keys) == 1
    assert Admission(SharedCounters.create(1), 0)._key(0, ALICE) not in keys


@pytest.mark.parametrize("slots", [1, 2, 4, 31, 32, 200])
def test_peer_table_fits_the_shared_region(slots: int) -> None:
    size = entries(slots)
    assert size >= 16 * BUCKET
    assert row(size, slots - 1) + size <= SHARED_CELLS
    assert (row(size, 0) * 8) % mmap.PAGESIZE == (size * 8) % mmap.PAGESIZE == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "leave", "die"]), st.integers(0, 2), st.sampled_from([ALICE, BOB])),
        max_size=60,
    )
)
def test_admission_limits_are_exact_for_any_sequence(moves: list[tuple[str, int, bytes]]) -> None:
    memory = SharedCounters.create(3)
    doors = [ListenState(memory, slot) for slot in range(3)]
    plan = limited(most=5, per_peer=3)
    present: list[tuple[int, bytes]] = []
    for move, slot, peer in moves:
        if move == "enter":
            theirs = sum(who == peer for _, who in present)
            expected = admission.TOO_MANY if len(present) >= 5 else admission.TOO_MANY_OF_PEER if theirs >= 3 else None
            assert doors[slot].enter(plan, peer) == expected
            if expected is None:
                present.append((slot, peer))
        elif move == "leave" and (slot, peer) in present:
            present.remove((slot, peer))
            doors[slot].leave(plan, peer)
        elif move == "die":
            present = [who for who in present if who[0] != slot]
            doors[slot].die(plan)
