import os
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerback.core.framing import MAX_BATCH, WebSocket
from answerback.core.framing.websocket import SHORT, WebSocketFrame
from tests.core.framing.cutting import (
    CUTS,
    KINDS,
    Outcome,
    check_case,
    check_consumed,
    check_cutting_never_matters,
    cut,
    in_pieces,
    streams,
)

WEBSOCKET = WebSocket()
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9


def frame(payload: bytes, opcode: int = TEXT, mask: bytes = b"\x37\xfa\x21\x3d", *, fin: bool = True) -> bytes:
    """A frame as a client sends it (RFC 6455, 5.2)."""
    size = len(payload)
    length = (
        bytes([size])
        if size < 126
        else b"\x7e%c%c" % divmod(size, 256)
        if size < 65536
        else b"\x7f" + size.to_bytes(8, "big")
    )
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes([opcode | 128 * fin, length[0] | 128]) + length[1:] + mask + masked


CASES = [
    (bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58"), [b"Hello"], b""),  # RFC 6455, 5.7
    (frame(b"a", BINARY) + frame(b"", PING) + frame(b"\x03\xe8", CLOSE), [b"a", b"", b"\x03\xe8"], b""),
    (frame(b"", fin=False) + frame(b"b", 0), [b"", b"b"], b""),
    (frame(b"abc", mask=bytes(4)), [b"abc"], b""),
    (frame(b"abcde")[:-1], [], frame(b"abcde")[:-1]),
    (frame(bytes(125)), [bytes(125)], b""),
    (frame(bytes(126)), [bytes(126)], b""),
    (frame(bytes(126)) + b"\x81\xfe\x00", [bytes(126)], b"\x81\xfe\x00"),
    (frame(bytes(65535)) + frame(bytes(65536)), [bytes(65535), bytes(65536)], b""),
    (frame(bytes(125), PING) + frame(b"", CLOSE) + frame(bytes(2), CLOSE), [bytes(125), b"", bytes(2)], b""),
    (b"\x82\xff" + bytes(5), [], b"\x82\xff" + bytes(5)),
    (b"\x82\xff\x7f" + bytes(11), [], b"\x82\xff\x7f" + bytes(11)),
]  # fmt: skip


@pytest.mark.parametrize("stream, requests, left", CASES)
def test_websocket_framing_cuts_stream_into_unmasked_payloads(
    stream: bytes, requests: list[bytes], left: bytes
) -> None:
    check_case(WEBSOCKET, stream, requests, left)


@pytest.mark.parametrize(
    "size", [0, 1, 3, 4, 5, 125, 126, 65535, 65536, SHORT - 1, SHORT, SHORT + 1, SHORT + 2, SHORT + 3]
)
def test_payload_of_any_size_is_unmasked(size: int) -> None:
    payload = os.urandom(size)
    stream = frame(payload, mask=b"\x00\xff\x12\x81")
    assert cut(WEBSOCKET, [stream]) == Outcome([payload], b"")


RESERVED = [opcode | fin for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15) for fin in (0, 128)]
MALFORMED = [
    (b"\x81\x05", "a frame of a client is not masked"),
    (b"\x81\x7e", "a frame of a client is not masked"),
    (b"\xc1", "a frame has reserved bits set, but no extension was negotiated"),
    (b"\x91", "a frame has reserved bits set, but no extension was negotiated"),
    (b"\x81\xff\x80", "the length of a frame is 2^63 or more"),
    *[(bytes([first]), f"the opcode {first & 15} is reserved") for first in RESERVED],
    *[(bytes([op]), f"a control frame (opcode {op}) is not the last frame of its message") for op in (8, 9, 10)],
    *[(bytes([128 | op, 0xFE]), f"a control frame (opcode {op}) has more than 125 bytes") for op in (8, 9, 10)],
    (b"\x89\xff", "a control frame (opcode 9) has more than 125 bytes"),
    (b"\x88\x81", "a close frame has one byte, but a status has two"),
    (b"\x81\xfe\x00\x00", "the length of a frame has 2 bytes, but fits in fewer"),
    (b"\x81\xfe\x00\x7d", "the length of a frame has 2 bytes, but fits in fewer"),
    (b"\x81\xff" + bytes(6), "the length of a frame has 8 bytes, but fits in fewer"),
]


@pytest.mark.parametrize("stream, fault", MALFORMED)
def test_malformed_frame_is_reported_with_its_first_wrong_byte(stream: bytes, fault: str) -> None:
    check_case(WEBSOCKET, stream, [], b"", fault)
    check_case(WEBSOCKET, frame(b"a") * 2 + stream, [b"a"] * 2, b"", fault)
    assert cut(WEBSOCKET, [stream[:-1]]) == Outcome([], stream[:-1])


def first(stream: bytes) -> WebSocketFrame:
    requests, _ = WEBSOCKET.split(stream, 0)
    assert isinstance(requests[0], WebSocketFrame)
    return requests[0]


@pytest.mark.parametrize(
    "opcode, fin",
    [(0, False), (0, True), (1, False), (1, True), (2, False), (2, True), (8, True), (9, True), (10, True)],
)
def test_request_knows_opcode_and_fin_of_its_frame(opcode: int, fin: bool) -> None:
    request = first(frame(b"xy", opcode, fin=fin) + frame(b"y", (opcode + 1) % 3, fin=not fin))
    assert (request.opcode, request.fin) == (opcode, fin)


def test_request_of_a_frame_equals_its_payload() -> None:
    request = first(frame(b"Hello"))
    assert request == b"Hello"
    assert {b"Hello": 1}[request] == 1


PARTS = [
    b"\x81",
    b"\x80",
    b"\x01",
    b"\x00",
    b"\xfe",
    b"\xff",
    b"\x85abcd",
    b"\x7f",
    frame(b"ab"),
    frame(b"", CLOSE),
    b"\x89",
]
STREAMS = streams(*PARTS)


@given(stream=STREAMS, where=CUTS, kind=KINDS)
def test_websocket_framing_cut_anywhere_finds_same_requests(stream: bytes, where: list[int], kind: type[bytes]) -> None:
    check_cutting_never_matters(WEBSOCKET, stream, where, kind)


MASKS = st.binary(min_size=4, max_size=4)
DATA_FRAMES = st.tuples(st.binary(max_size=300), st.integers(0, 2), MASKS, st.booleans())
CONTROL_FRAMES = st.tuples(st.binary(min_size=2, max_size=125), st.integers(8, 10), MASKS, st.just(True))
FRAMES = st.lists(DATA_FRAMES | CONTROL_FRAMES, max_size=5)


@given(frames=FRAMES, where=CUTS)
def test_frames_that_were_masked_are_found_again(
    frames: Sequence[tuple[bytes, int, bytes, bool]], where: list[int]
) -> None:
    stream = b"".join(frame(payload, opcode, mask, fin=fin) for payload, opcode, mask, fin in frames)
    assert cut(WEBSOCKET, in_pieces(stream, where)) == Outcome([payload for payload, *_ in frames], b"")


@given(stream=STREAMS)
def test_websocket_framing_consumed_is_start_of_next_request(stream: bytes) -> None:
    check_consumed(WEBSOCKET, stream)


def test_websocket_framing_cuts_long_buffer_in_batches() -> None:
    found, end = WEBSOCKET.split(frame(b"a") * (2 * MAX_BATCH), 0)
    assert (len(found), end) == (MAX_BATCH, 7 * MAX_BATCH)


LEAST = [
    (b"", 0, 6),
    (b"\x81", 0, 6),
    (b"\x81\x80", 0, 6),
    (b"\x81\x85ab", 5, 11),
    (b"\x81\xfe", 0, 8),
    (b"\x81\xfe\x00", 0, 8),
    (b"\x81\xfe\x01", 0, 8),
    (b"\x81\xfe\x01\x00", 256, 264),
    (b"\x81\xff\x00\x00\x00\x00\x00\x01\x00", 0, 14),
    (b"\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00", 65536, 65550),
]


@pytest.mark.parametrize("buffer, least, frame_length", LEAST)
def test_websocket_framing_gives_min_request_length(buffer: bytes, least: int, frame_length: int) -> None:
    assert WEBSOCKET.min_length(buffer) == least
    assert WEBSOCKET.min_frame_length(buffer) == frame_length


def test_websocket_framing_rest_at_eof_is_no_request() -> None:
    assert (WEBSOCKET.eof_completes, WEBSOCKET.idle_gap) == (False, float("inf"))


def test_websocket_framings_are_equal() -> None:
    assert WebSocket() == WEBSOCKET
