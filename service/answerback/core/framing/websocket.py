"""Framing by WebSocket frames (RFC 6455, section 5): what a client sends after the handshake."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Malformed, Stateless

FIN, RESERVED, OPCODE = 0x80, 0x70, 0x0F
MASKED, LENGTH = 0x80, 0x7F
DATA: Final = frozenset({0, 1, 2})
CLOSE: Final = 8
CONTROL: Final = frozenset({CLOSE, 9, 10})
FIRST_BYTES: Final = DATA | {FIN | opcode for opcode in DATA | CONTROL}
"""The first bytes that a frame can have: a control frame is never a part of a message."""
MAX_CONTROL: Final = 125  # bytes of a control frame's payload
MASK_BYTES: Final = 4
SHORT: Final = 4096  # bytes of a payload up to which one large integer is the fastest
EXTENDED: Final = {126: 2, 127: 8}
"""The number of bytes of the length that follows the second byte, by the value in that byte."""
SHORTEST: Final = {2: 126, 8: 1 << 16}
"""The least length that needs this number of bytes."""
MAX_LENGTH: Final = 1 << 63


class WebSocketFrame(bytes):
    """The unmasked payload of a frame, with what else the frame says."""

    opcode: int
    fin: bool


@dataclass(frozen=True, slots=True)
class WebSocket(Stateless):
    """Each request is the payload of one frame, a control frame too, without its mask.

    Malformed are: a frame without a mask, reserved bits (no extension is known), a reserved opcode, a control frame
    that is a part of a message or has more than 125 bytes, a close frame of one byte (5.5.1), a length of 2^63 and
    more, and a length that has a shorter form (5.2). The order of frames is not checked, and no text for UTF-8.
    """

    @override
    def split(self, buffer: Buffer, searched: int) -> tuple[Sequence[bytes], int]:
        requests: list[bytes] = []
        at, size = 0, len(buffer)
        while len(requests) < MAX_BATCH and at < size:
            try:
                payload, end = _frame(buffer, at)
            except Malformed:
                if requests:
                    break
                raise
            if end > size:
                break
            request = WebSocketFrame(_unmasked(buffer[payload:end], bytes(buffer[payload - MASK_BYTES : payload])))
            request.opcode, request.fin = buffer[at] & OPCODE, buffer[at] >= FIN
            requests.append(request)
            at = end
        return requests, at

    @override
    def consumed(self, buffer: Buffer, requests: int) -> int:
        at = 0
        for _ in range(requests):
            at = _frame(buffer, at)[1]
        return at

    @override
    def min_length(self, buffer: Buffer) -> int:
        payload, end = _frame(buffer, 0)
        return end - payload

    def min_frame_length(self, buffer: Buffer) -> int:
        """Return a lower bound for the length of the whole frame that the buffer begins with."""
        return _frame(buffer, 0)[1]


def _frame(buffer: Buffer, at: int) -> tuple[int, int]:
    """Return where the payload of a frame begins and ends. Both are lower bounds while its head is incomplete."""
    size = len(buffer) - at
    if size and buffer[at] not in FIRST_BYTES:
        raise Malformed(_first_fault(buffer[at]))
    if size < 2:
        return at + 2 + MASK_BYTES, at + 2 + MASK_BYTES
    if buffer[at + 1] < MASKED:
        raise Malformed("a frame of a client is not masked")
    length = buffer[at + 1] & LENGTH
    if buffer[at] & OPCODE in CONTROL:
        _check_control(buffer[at] & OPCODE, length)
    payload = at + 2 + MASK_BYTES
    if length in EXTENDED:
        payload += EXTENDED[length]
        length = _extended_length(bytes(buffer[at + 2 : payload - MASK_BYTES]), EXTENDED[length])
    return payload, payload + length


def _first_fault(first: int) -> str:
    """Return why no frame has this first byte."""
    opcode = first & OPCODE
    if first & RESERVED:
        return "a frame has reserved bits set, but no extension was negotiated"
    if opcode in CONTROL:
        return f"a control frame (opcode {opcode}) is not the last frame of its message"
    return f"the opcode {opcode} is reserved"


def _check_control(opcode: int, length: int) -> None:
    """Raise Malformed for a length that a control frame cannot have."""
    if length > MAX_CONTROL:
        raise Malformed(f"a control frame (opcode {opcode}) has more than {MAX_CONTROL} bytes")
    if opcode == CLOSE and length == 1:
        raise Malformed("a close frame has one byte, but a status has two")


def _extended_length(arrived: bytes, width: int) -> int:
    """Return the length in a field of 2 or 8 bytes, of which these have arrived; 0 while it is incomplete."""
    if int.from_bytes(arrived.ljust(width, b"\0"), "big") >= MAX_LENGTH:
        raise Malformed("the length of a frame is 2^63 or more")
    if int.from_bytes(arrived.ljust(width, b"\xff"), "big") < SHORTEST[width]:
        raise Malformed(f"the length of a frame has {width} bytes, but fits in fewer")
    return int.from_bytes(arrived, "big") if len(arrived) == width else 0


def _unmasked(payload: Buffer, mask: bytes) -> bytes:
    """Return a payload combined with its mask by exclusive or."""
    size = len(payload)
    if size <= SHORT:
        key = (mask * (size // MASK_BYTES + 1))[:size]
        return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")
    plain = bytearray(size)
    for at, key_byte in enumerate(mask):
        plain[at::MASK_BYTES] = payload[at::MASK_BYTES].translate(_combined_with(key_byte))
    return bytes(plain)


@cache
def _combined_with(key: int) -> bytes:
    """Return each byte combined with this one by exclusive or."""
    return bytes(byte ^ key for byte in range(256))
