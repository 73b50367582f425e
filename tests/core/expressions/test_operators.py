"""Operators at the ends of their ranges."""

from collections.abc import Callable

import pytest

from answerback.core.expressions import MAX_OUTPUT, EvaluationError, TooLongError, Work, operators
from answerback.core.expressions.values import LARGEST, SMALLEST


@pytest.mark.parametrize("bits", [0, 1, 62, 63])
def test_shift_moves_up_to_63_bits(bits: int) -> None:
    assert operators.shift_left(1, bits) == 1 << bits
    assert operators.shift_right(LARGEST, bits) == LARGEST >> bits


@pytest.mark.parametrize("shift", [operators.shift_left, operators.shift_right])
@pytest.mark.parametrize("bits", [-1, 64])
def test_other_shifts_are_errors(shift: Callable[[int, int], int], bits: int) -> None:
    with pytest.raises(EvaluationError, match=f"a shift by {bits} bits: 0 to 63 are possible"):
        shift(1, bits)


@pytest.mark.parametrize("number", [SMALLEST, LARGEST])
def test_number_in_range_is_taken_as_it_is(number: int) -> None:
    assert operators.in_range(number) == number


@pytest.mark.parametrize("number", [SMALLEST - 1, LARGEST + 1])
def test_number_out_of_range_is_an_error(number: int) -> None:
    with pytest.raises(EvaluationError):
        operators.in_range(number)


def test_range_of_numbers_is_that_of_64_bits_signed_and_unsigned() -> None:
    assert (SMALLEST, LARGEST) == (-9_223_372_036_854_775_808, 18_446_744_073_709_551_615)


def test_joined_bytes_have_a_bound() -> None:
    work = Work()
    half = bytes(MAX_OUTPUT // 2)
    work.left = 10 * MAX_OUTPUT
    assert len(operators._join(work, half, half)) == MAX_OUTPUT
    with pytest.raises(TooLongError):
        operators._join(work, half, half, b"x")
