"""Functions on text: their results at the ends, and their bounds."""

import pytest

from answerback.core.expressions import MAX_OUTPUT, EvaluationError, TooLongError
from answerback.core.expressions.functions import text


@pytest.mark.parametrize(
    "data, at, part",
    [
        (b"a,b,c", 0, b"a"),
        (b"a,b,c", 1, b"b"),
        (b"a,b,c", 2, b"c"),
        (b"a,b,c", -1, b"c"),
        (b"a,b,c", -2, b"b"),
        (b"a,b,c", -3, b"a"),
        (b",,,", 3, b""),
        (b"", 0, b""),
        (b"", -1, b""),
        (b"whole", -1, b"whole"),
    ],
)
def test_split_takes_a_part_from_the_begin_or_the_end(data: bytes, at: int, part: bytes) -> None:
    assert text.splitting(b",")(data, at) == part


@pytest.mark.parametrize("at", [3, 4, 5, 6, 1 << 62, -4, -(1 << 62)])
def test_split_fails_where_there_is_no_such_part(at: int) -> None:
    with pytest.raises(EvaluationError, match=f"there is no part {at}: there are 3"):
        text.splitting(b",")(b"a,b,c", at)


def test_replace_makes_no_more_than_the_bound() -> None:
    most = MAX_OUTPUT // 2
    assert text.replace(b"a" * most, b"a", b"bb") == b"bb" * most
    with pytest.raises(TooLongError):
        text.replace(b"a" * most + b"-", b"a", b"bb")
    assert text.replace(b"-" * MAX_OUTPUT + b"aa", b"a", b"") == b"-" * MAX_OUTPUT


@pytest.mark.parametrize("times", [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_nothing_is_repeated_any_number_of_times(times: int) -> None:
    assert text.repeat(b"", times) == b""
