import pytest

from answerback.core import matching
from tests.core.matching.turns import asked
from tests.core.turns import MadeUp

RANGES = [
    ((0, None), [0, 1, 5], []),
    ((2, None), [2, 3], [0, 1]),
    ((0, 2), [0, 1, 2], [3]),
    ((2, 2), [2], [1, 3]),
    ((0, 0), [0], [1]),
]


@pytest.mark.parametrize("ends, inside, outside", RANGES)
def test_size_match_holds_within_its_range(ends: tuple[int, int | None], inside: list[int], outside: list[int]) -> None:
    matches = matching.size(*ends)
    assert all(asked(matches, bytes(size)) for size in inside)
    assert not any(asked(matches, bytes(size)) for size in outside)


@pytest.mark.parametrize("ends, inside, outside", RANGES)
def test_request_number_match_holds_within_its_range(
    ends: tuple[int, int | None], inside: list[int], outside: list[int]
) -> None:
    matches = matching.request_number(*ends)
    assert all(asked(matches, b"", MadeUp(number=number)) for number in inside)
    assert not any(asked(matches, b"", MadeUp(number=number)) for number in outside)
