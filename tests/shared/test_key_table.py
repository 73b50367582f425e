"""Keys in buckets: found where a keyed hash says."""

import os

import pytest

from answerback.shared.counters import SharedCounters
from answerback.shared.key_table import BUCKET, KeyTable, shared_secret

FIRST, SIZE = 128, 4 * BUCKET


@pytest.fixture
def table(memory: SharedCounters) -> KeyTable:
    return KeyTable(memory, memory.peers, FIRST, SIZE)


def test_key_is_found_in_its_bucket_alone(memory: SharedCounters, table: KeyTable) -> None:
    memory.peers[FIRST + BUCKET] = 7
    memory.peers[FIRST + 2 * BUCKET - 1] = 8
    assert [table.find(bucket, 7) for bucket in (0, BUCKET, 2 * BUCKET)] == [None, BUCKET, None]
    assert table.find(BUCKET, 8) == 2 * BUCKET - 1
    assert table.find(2 * BUCKET, 8) is None


def test_buckets_are_those_of_the_table(table: KeyTable) -> None:
    assert [table.bucket(number) for number in range(5)] == [0, BUCKET, 2 * BUCKET, 3 * BUCKET, 0]


def test_keys_are_64_bits_and_never_0(table: KeyTable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({table.hash(bytes([number])) for number in range(100)}) == 100
    assert max(table.hash(bytes([number])) for number in range(100)) >> 60

    class NoDigest:
        def __init__(self, *_: object, **__: object) -> None:
            """Take what a hash takes."""

        def digest(self) -> bytes:
            return bytes(8)

    monkeypatch.setattr("answerback.shared.key_table.blake2b", NoDigest)
    assert table.hash(b"x") == 1


def test_secret_is_shared_by_all_processes_and_differs_between_servers(memory: SharedCounters) -> None:
    secret = shared_secret(memory)
    assert len(set(secret)) > 4
    assert shared_secret(SharedCounters(os.dup(memory.fd), memory.slots)) == secret
    assert shared_secret(SharedCounters.create(2)) != secret
    table, other = (KeyTable(each, each.peers, FIRST, SIZE) for each in (memory, SharedCounters.create(2)))
    assert table.hash(b"x") == KeyTable(memory, memory.peers, FIRST, SIZE).hash(b"x") != other.hash(b"x")


def test_secret_of_which_a_killed_worker_wrote_a_half_is_made_again(memory: SharedCounters) -> None:
    memory.shared[0] = 1
    secret = shared_secret(memory)
    assert secret[:8] != (1).to_bytes(8, "little")
    assert shared_secret(memory) == secret
