import pytest

from answerback.core.actions import Send
from answerback.core.faults import Corrupt
from tests.core.faults.faulty import comes_of

DATA = bytes(range(100))


def corrupted(count: int, *reply: bytes, seed: int = 1) -> list[bytes]:
    found = comes_of(Corrupt(count), *map(Send, reply), seed=seed)
    return [bytes(each.data) for each in found if isinstance(each, Send)]


def wrong(count: int, *reply: bytes, seed: int = 1) -> list[list[int]]:
    """Where the bytes of each send are wrong."""
    return [
        [place for place, (was, came) in enumerate(zip(before, after, strict=True)) if was != came]
        for before, after in zip(reply, corrupted(count, *reply, seed=seed), strict=True)
    ]


@pytest.mark.parametrize("count", [1, 2, 50, 100])
@pytest.mark.parametrize("seed", range(20))
def test_corrupt_fault_changes_exactly_count_bytes(count: int, seed: int) -> None:
    assert len(wrong(count, DATA, seed=seed)[0]) == count


def test_corrupt_of_more_bytes_than_the_reply_changes_all() -> None:
    assert wrong(9, b"abc") == [[0, 1, 2]]


def test_corrupt_fault_carries_rest_of_count_into_next_sends() -> None:
    first, second, third = wrong(5, b"abc", DATA, DATA)
    assert (len(first), len(second), len(third)) == (3, 2, 0)


def test_corrupt_can_change_every_byte_to_every_other_value() -> None:
    found = [corrupted(1, bytes(4), seed=seed)[0] for seed in range(20_000)]
    assert {place for data in found for place in range(4) if data[place]} == {0, 1, 2, 3}
    assert {max(data) for data in found} == set(range(1, 256))
