import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, Read
from tests.core.framing.cutting import KINDS, check_consumed, cut, in_pieces

CASES = [
    (4, [b"abcdefghij"], [b"abcd", b"efgh", b"ij"]),
    (4, [b"abcd"], [b"abcd"]),
    (4, [b"ab", b"cdefg"], [b"ab", b"cdef", b"g"]),
    (1, [b"ab"], [b"a", b"b"]),
    (1024, [], []),
]


@pytest.mark.parametrize("size, reads, requests", CASES)
def test_read_framing_cuts_stream_into_requests(size: int, reads: list[bytes], requests: list[bytes]) -> None:
    for kind in (bytes, bytearray):
        assert cut(Read(size), reads, kind) == (requests, b"", "")


@given(stream=st.binary(max_size=30), size=st.integers(1, 5), where=st.lists(st.integers(0, 30)), kind=KINDS)
def test_read_framing_splits_each_read_separately(
    stream: bytes, size: int, where: list[int], kind: type[bytes]
) -> None:
    reads = in_pieces(stream, where)
    plainly = [read[at : at + size] for read in reads for at in range(0, len(read), size)]
    assert cut(Read(size), reads, kind) == (plainly, b"", "")


@given(stream=st.binary(max_size=500), size=st.integers(1, 5))
def test_read_framing_consumed_is_start_of_next_request(stream: bytes, size: int) -> None:
    check_consumed(Read(size), stream)


def test_read_framing_cuts_long_buffer_in_batches() -> None:
    stream = b"a" * (3 * MAX_BATCH + 1)
    found, end = Read(1).split(stream, 0)
    assert (len(found), end) == (MAX_BATCH, MAX_BATCH)
    assert len(cut(Read(1), [stream]).requests) == len(stream)


def test_read_framing_gives_min_request_length() -> None:
    assert Read(10).min_length(b"abc") == 3


def test_read_framing_rest_at_eof_is_a_request() -> None:
    assert (Read(10).eof_completes, Read(10).idle_gap) == (True, float("inf"))


def test_read_framings_with_equal_options_are_equal() -> None:
    assert Read(5) == Read(5) != Read(6)
