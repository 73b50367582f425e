import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, LengthPrefix
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Outcome,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    cut,
    streams,
)

MODBUS = LengthPrefix(offset=4, width=2)
POSTGRES = LengthPrefix(offset=1, width=4, adjust=-4)
STRIPPED = LengthPrefix(width=1, strip=True)
FAULT = "the length 3 makes a frame of 4 bytes, shorter than its prefix"

READ = bytes.fromhex("00010000 0006 010300000002")
QUERY, TERMINATE = b"Q\x00\x00\x00\x0dselect 1\x00", b"X\x00\x00\x00\x04"

CASES = [
    (MODBUS, READ + b"\x00\x02", [READ], b"\x00\x02"),
    (POSTGRES, QUERY + TERMINATE, [QUERY, TERMINATE], b""),
    (STRIPPED, b"\x03abc\x00\x02de\x05f", [b"abc", b"", b"de"], b"\x05f"),
    (LengthPrefix(width=2, little_endian=True), b"\x01\x00a\x00", [b"\x01\x00a"], b"\x00"),
    (LengthPrefix(width=3, adjust=2), b"\x00\x00\x01abc", [b"\x00\x00\x01abc"], b""),
    (LengthPrefix(width=8), bytes(7) + b"\x01a", [bytes(7) + b"\x01a"], b""),
    (LengthPrefix(offset=1, width=1, strip=True), b"T\x02abU", [b"ab"], b"U"),
]  # fmt: skip


@pytest.mark.parametrize("framing, stream, requests, left", CASES)
def test_length_prefix_framing_cuts_stream_into_requests(
    framing: LengthPrefix, stream: bytes, requests: list[bytes], left: bytes
) -> None:
    check_case(framing, stream, requests, left)


def test_a_frame_shorter_than_its_head_is_malformed() -> None:
    check_case(POSTGRES, b"X\x00\x00\x00\x03", [], b"", FAULT)


def test_requests_before_a_malformed_one_are_requests() -> None:
    check_case(POSTGRES, TERMINATE * 2 + b"X\x00\x00\x00\x03", [TERMINATE] * 2, b"", FAULT)


FRAMINGS = st.builds(
    LengthPrefix, st.integers(0, 3), st.integers(1, 8), st.booleans(), st.integers(-6, 3), st.booleans()
)
STREAMS = streams(b"\x00", b"\x01", b"\x02", b"\x00\x00\x00", b"abc", most=60)


@given(framing=FRAMINGS, stream=STREAMS, where=CUTS, kind=KINDS)
def test_length_prefix_framing_cut_anywhere_finds_same_requests(
    framing: LengthPrefix, stream: bytes, where: list[int], kind: type[bytes]
) -> None:
    check_cutting_never_matters(framing, stream, where, kind)


def plainly(framing: LengthPrefix, stream: bytes) -> Outcome:
    """The same once more, by `struct`."""
    head = framing.offset + framing.width
    requests: list[bytes] = []
    while len(stream) >= head:
        number = stream[framing.offset : head]
        if framing.little_endian:
            (length,) = struct.unpack("<Q", number + bytes(8 - framing.width))
        else:
            (length,) = struct.unpack(">Q", bytes(8 - framing.width) + number)
        if length + framing.adjust < 0:
            size = head + length + framing.adjust
            return Outcome(requests, b"", f"the length {length} makes a frame of {size} bytes, shorter than its prefix")
        request = stream[: head + length + framing.adjust]
        if len(request) < head + length + framing.adjust:
            break
        requests.append(request[head:] if framing.strip else request)
        stream = stream[len(request) :]
    return Outcome(requests, stream)


@given(framing=FRAMINGS, stream=STREAMS)
def test_length_prefix_framing_agrees_with_plain_model(framing: LengthPrefix, stream: bytes) -> None:
    assert cut(framing, [stream]) == plainly(framing, stream)


@given(framing=FRAMINGS, stream=STREAMS)
def test_length_prefix_framing_consumed_is_start_of_next_request(framing: LengthPrefix, stream: bytes) -> None:
    check_consumed(framing, stream)


def test_length_prefix_framing_cuts_long_buffer_in_batches() -> None:
    found, end = STRIPPED.split(b"\x01a" * (2 * MAX_BATCH), 0)
    assert (len(found), end) == (MAX_BATCH, 2 * MAX_BATCH)


LEAST = [
    (MODBUS, b"", 6),
    (MODBUS, b"\x00\x01\x00\x00\x00", 6),
    (MODBUS, b"\x00\x01\x00\x00\xff\xff", 65541),
    (LengthPrefix(width=4), b"\x80\x00\x00\x00", (1 << 31) + 4),  # evident before it is there
    (STRIPPED, b"", 0),
    (STRIPPED, b"\x05abc", 5),
    (LengthPrefix(width=8), b"\xff" * 8, (1 << 64) + 7),
]


@pytest.mark.parametrize("framing, buffer, least", LEAST)
def test_length_prefix_framing_gives_min_request_length(framing: LengthPrefix, buffer: bytes, least: int) -> None:
    assert framing.min_length(buffer) == least


@pytest.mark.parametrize("offset, width", [(-1, 1), (0, 0), (0, 9)])
def test_length_prefix_framing_with_invalid_width_or_offset_is_rejected(offset: int, width: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 8 bytes at an offset of 0 or more, not {width} at {offset}"):
        LengthPrefix(offset, width)


def test_length_prefix_framing_rest_at_eof_is_no_request() -> None:
    assert (MODBUS.eof_completes, MODBUS.idle_gap) == (False, float("inf"))


def test_length_prefix_framings_with_equal_options_are_equal() -> None:
    assert LengthPrefix(4, 2, little_endian=False, adjust=0, strip=False) == MODBUS
    assert len({MODBUS, POSTGRES, STRIPPED, LengthPrefix(4, 2, strip=True)}) == 4
