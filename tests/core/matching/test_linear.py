"""A search for a literal takes linear time, for the literals and requests that are the worst for simple searches."""

from time import thread_time

import pytest

from answerback.core.matching import contains
from tests.core.matching.turns import asked

MEBIBYTE = 1 << 20
SECONDS = 0.1  # 3 ms where this was written; quadratic time would be minutes


def fibonacci(size: int) -> bytes:
    """A word that repeats itself as little, and as much, as can be."""
    shorter, longer = b"a", b"ab"
    while len(longer) < size:
        shorter, longer = longer, longer + shorter
    return longer[:size]


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize("size", [1 << 10, 64 << 10, 512 << 10])
@pytest.mark.parametrize("kind", ["middle", "first", "last", "period", "fibonacci"])
def test_contains_takes_linear_time_for_any_literal(kind: str, size: int, ignore_case: bool) -> None:
    request = b"a" * MEBIBYTE
    if kind == "middle":
        literal = b"a" * (size // 2) + b"b" + b"a" * (size // 2)
    elif kind == "first":
        literal = b"b" + b"a" * size
    elif kind == "last":
        literal = b"a" * size + b"b"
    elif kind == "period":
        literal, request = b"ab" * (size // 2) + b"c", b"ab" * (MEBIBYTE // 2)
    else:
        literal, request = fibonacci(size) + b"c", fibonacci(MEBIBYTE)
    match = contains(literal, ignore_case)
    began = thread_time()
    assert not asked(match, request)
    assert thread_time() - began < SECONDS
