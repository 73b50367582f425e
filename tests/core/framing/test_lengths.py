import pytest

from answerback.core.framing.lengths import Encoding, is_ending, reader

REJECTED = [
    (Encoding.BIG_ENDIAN, 0, b"", "a BIG_ENDIAN length has 1 to 8 bytes, not 0"),
    (Encoding.LITTLE_ENDIAN, 9, b"", "a LITTLE_ENDIAN length has 1 to 8 bytes, not 9"),
    (Encoding.BIG_ENDIAN, 1, b":", "a BIG_ENDIAN length has 1 to 8 bytes, not 1"),
    (Encoding.DECIMAL, 0, b"", "a DECIMAL length has 1 to 20 digits, not 0"),
    (Encoding.HEX, 21, b"", "a HEX length has 1 to 20 digits, not 21"),
    (Encoding.DECIMAL, 2, b":", 'digits end before a byte that is not a digit, not before ":"'),
    (Encoding.HEX, 0, b"a", 'digits end before a byte that is not a digit, not before "a"'),
    (Encoding.VARINT, 1, b"", "a VARINT length ends by itself: it has neither width nor until"),
    (Encoding.BER, 0, b":", "a BER length ends by itself: it has neither width nor until"),
]


@pytest.mark.parametrize("encoding, width, until, problem", REJECTED)
def test_width_or_ending_that_does_not_fit_the_encoding_is_rejected(
    encoding: Encoding, width: int, until: bytes, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        reader(encoding, width, until)


@pytest.mark.parametrize(
    "until, decimal, hexadecimal", [(b":", 1, 1), (b"a", 1, 0), (b"7", 0, 0), (b"", 0, 0), (b", ", 0, 0)]
)
def test_digits_end_at_one_byte_that_is_not_a_digit(until: bytes, decimal: bool, hexadecimal: bool) -> None:
    assert is_ending(until, Encoding.DECIMAL) == decimal
    assert is_ending(until, Encoding.HEX) == hexadecimal
