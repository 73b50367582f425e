import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, Fixed
from tests.core.framing.cutting import CUTS, KINDS, check_case, check_consumed, check_cutting_never_matters, cut

CASES = [
    (4, b"abcdefgh", [b"abcd", b"efgh"], b""),
    (4, b"abcdef", [b"abcd"], b"ef"),
    (4, b"", [], b""),
    (1, b"\x00\xff", [b"\x00", b"\xff"], b""),
]


@pytest.mark.parametrize("size, stream, requests, left", CASES)
def test_fixed_framing_cuts_stream_into_requests(size: int, stream: bytes, requests: list[bytes], left: bytes) -> None:
    check_case(Fixed(size), stream, requests, left)


@given(size=st.integers(1, 40), stream=st.binary(max_size=100), where=CUTS, kind=KINDS)
def test_fixed_framing_cut_anywhere_finds_same_requests(
    size: int, stream: bytes, where: list[int], kind: type[bytes]
) -> None:
    check_cutting_never_matters(Fixed(size), stream, where, kind)


@given(size=st.integers(1, 40), stream=st.binary(max_size=100))
def test_fixed_framing_agrees_with_plain_model(size: int, stream: bytes) -> None:
    requests, left = [], stream
    while len(left) >= size:
        request, left = left[:size], left[size:]
        requests.append(request)
    assert cut(Fixed(size), [stream]) == (requests, left, "")


@given(size=st.integers(1, 40), stream=st.binary(max_size=100))
def test_fixed_framing_consumed_is_start_of_next_request(size: int, stream: bytes) -> None:
    check_consumed(Fixed(size), stream)


def test_fixed_framing_cuts_long_buffer_in_batches() -> None:
    found, end = Fixed(1).split(b"a" * (2 * MAX_BATCH), 0)
    assert (len(found), end) == (MAX_BATCH, MAX_BATCH)


def test_fixed_framing_gives_request_size_before_its_bytes() -> None:
    """Known before its first byte, so one that is too large is refused at once."""
    assert Fixed(1 << 40).min_length(b"a") == 1 << 40


@pytest.mark.parametrize("size", [0, -1])
def test_fixed_size_below_1_is_rejected(size: int) -> None:
    with pytest.raises(ValueError, match=f"a request of fixed size has at least one byte, not {size}"):
        Fixed(size)


def test_fixed_framing_rest_at_eof_is_no_request() -> None:
    assert (Fixed(1).eof_completes, Fixed(1).idle_gap) == (False, float("inf"))


def test_fixed_framings_with_equal_options_are_equal() -> None:
    assert Fixed(1) == Fixed(1) != Fixed(2)
