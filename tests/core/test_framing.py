from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MOST, Buffer, Framing, Line, Read

LINES = [Line(keep_ending=False), Line(keep_ending=True)]


def cut(
    framing: Framing, pieces: list[bytes], kind: type[bytes] | type[bytearray] = bytearray
) -> tuple[list[bytes], bytes]:
    """What comes of a stream in these pieces, taken as a session takes it: the requests, and the bytes left over."""
    requests: list[bytes] = []
    buffer: Buffer = kind()
    for piece in pieces:
        searched, buffer = len(buffer), kind(buffer + piece)
        while True:
            found, end = framing.cut(buffer, searched)
            assert len(found) <= MOST
            assert (end == 0) == (not found)
            assert all(type(request) is bytes for request in found)
            assert framing.taken(buffer, len(found)) == end
            if not found:
                break
            requests += found
            searched, buffer = 0, buffer[end:]
    return requests, bytes(buffer)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:end] for start, end in pairwise(at)]


streams = st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"bc", b"\x00"]), max_size=30).map(b"".join)
cuts = st.lists(st.integers(0, 1000), max_size=10)
buffers = st.sampled_from([bytes, bytearray])

CUT = [
    (Line(keep_ending=False), b"PING\r\nPONG\n", [b"PING", b"PONG"], b""),
    (Line(keep_ending=False), b"\n\r\n\r\r\n", [b"", b"", b"\r"], b""),
    (Line(keep_ending=False), b"a\rb\nhalf\r", [b"a\rb"], b"half\r"),
    (Line(keep_ending=False), b"half", [], b"half"),
    (Line(keep_ending=True), b"PING\r\nPONG\n\nhalf", [b"PING\r\n", b"PONG\n", b"\n"], b"half"),
    (Read(4), b"abcdefghij", [b"abcd", b"efgh", b"ij"], b""),
    (Read(4), b"abcd", [b"abcd"], b""),
    (Read(1), b"ab", [b"a", b"b"], b""),
]


@pytest.mark.parametrize("framing, stream, requests, left", CUT)
def test_requests(framing: Framing, stream: bytes, requests: list[bytes], left: bytes) -> None:
    for kind in (bytes, bytearray):
        assert cut(framing, [stream], kind) == (requests, left)


@pytest.mark.parametrize("framing", LINES)
@given(stream=streams, where=cuts, kind=buffers)
def test_cutting_never_matters(framing: Framing, stream: bytes, where: list[int], kind: type[bytes]) -> None:
    whole = cut(framing, [stream])
    assert cut(framing, pieces(stream, where), kind) == whole
    assert cut(framing, [stream[at : at + 1] for at in range(len(stream))], kind) == whole


@pytest.mark.parametrize("framing", LINES)
@given(stream=streams)
def test_lines_are_what_they_always_were(framing: Line, stream: bytes) -> None:
    *lines, left = stream.split(b"\n")
    kept, taken_off = [line + b"\n" for line in lines], [line.removesuffix(b"\r") for line in lines]
    assert cut(framing, [stream]) == (kept if framing.keep_ending else taken_off, left)


@given(stream=streams, size=st.integers(1, 5), kind=buffers)
def test_a_read_leaves_nothing_and_loses_nothing(stream: bytes, size: int, kind: type[bytes]) -> None:
    requests, left = cut(Read(size), [stream], kind)
    assert (b"".join(requests), left) == (stream, b"")
    assert all(len(request) == size for request in requests[:-1])


@pytest.mark.parametrize("framing", [Read(1), *LINES])
def test_a_long_buffer_is_cut_little_by_little(framing: Framing) -> None:
    stream = b"\n" * (3 * MOST + 1)
    found, end = framing.cut(stream, 0)
    assert (len(found), end) == (MOST, MOST)
    assert len(cut(framing, [stream])[0]) == len(stream)


@pytest.mark.parametrize("framing", [Read(3), *LINES])
@given(stream=streams, number=st.integers(0, MOST))
def test_what_was_taken_is_told_for_any_number_of_requests(framing: Framing, stream: bytes, number: int) -> None:
    found, _ = framing.cut(stream, 0)
    number = min(number, len(found))
    behind = framing.taken(stream, number)
    assert cut(framing, [stream[behind:]])[0] == cut(framing, [stream])[0][number:]


LEAST = [
    (Line(keep_ending=False), b"abc", 3),
    (Line(keep_ending=False), b"abc\r", 3),  # the CR may be half of an ending
    (Line(keep_ending=True), b"abc\r", 4),
    (Read(10), b"abc", 3),
]


@pytest.mark.parametrize("framing, buffer, least", LEAST)
def test_how_long_a_request_will_be_at_least(framing: Framing, buffer: bytes, least: int) -> None:
    assert framing.least(buffer) == least


@pytest.mark.parametrize("framing", LINES)
@given(begun=streams.filter(lambda begun: b"\n" not in begun), rest=streams)
def test_no_request_is_shorter_than_it_was_said_to_become(framing: Line, begun: bytes, rest: bytes) -> None:
    (request, *_), _ = cut(framing, [begun + rest + b"\n"])
    assert len(request) >= framing.least(begun)


def test_equal_framings_are_equal() -> None:
    """A connection keeps its plan to its end if the framing has changed, so what is the same must not look changed."""
    assert Read(5) == Read(5) != Read(6)
    assert len({*LINES, Line(keep_ending=True), Read(1), Read(1)}) == 3
