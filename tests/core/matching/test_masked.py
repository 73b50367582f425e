import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core import matching
from tests.core.matching.turns import asked


def test_bytes_match_compares_at_its_offset() -> None:
    matches = matching.byte_range(7, b"\x03")
    assert asked(matches, bytes.fromhex("000100000006 01 03 00000002"))
    assert not asked(matches, bytes.fromhex("000100000006 01 04 00000002"))
    assert not asked(matches, bytes.fromhex("000100000006 01"))


def test_bytes_match_with_mask_compares_masked_bits_only() -> None:
    matches = matching.byte_range(1, b"\x8f\x00", b"\xf0\x01")
    assert asked(matches, b"\x00\x80\xfe")
    assert not asked(matches, b"\x00\x90\xfe")
    assert not asked(matches, b"\x00\x80\xff")
    assert not asked(matches, b"\x00\x80")


@given(request_bytes=st.binary(max_size=4), offset=st.integers(0, 4), literal_and_mask=st.data())
def test_bytes_match_agrees_with_plain_model(
    request_bytes: bytes, offset: int, literal_and_mask: st.DataObject
) -> None:
    few = st.integers(0, 4).flatmap(lambda size: st.tuples(*[st.binary(min_size=size, max_size=size)] * 2))
    literal, mask = literal_and_mask.draw(few)
    there = len(request_bytes) >= offset + len(literal)
    for bits, matches in (
        (mask, matching.byte_range(offset, literal, mask)),
        (b"\xff" * len(literal), matching.byte_range(offset, literal)),
    ):
        same = all(
            heard & bit == wanted & bit
            for heard, wanted, bit in zip(request_bytes[offset:], literal, bits, strict=False)
        )
        assert asked(matches, request_bytes) == (there and same)


def test_bytes_match_with_mask_of_other_length_is_rejected() -> None:
    with pytest.raises(ValueError, match="a mask of 1 bytes, for 2 that are compared"):
        matching.byte_range(0, b"ab", b"\xff")


def test_negative_offset_is_rejected() -> None:
    with pytest.raises(ValueError, match="bytes are at an offset of 0 or more, not -1"):
        matching.byte_range(-1, b"a")
