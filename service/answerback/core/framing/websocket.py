"""Framing by WebSocket frames (RFC 6455, section 5): what a client sends after the handshake."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from answerback.compat import override
from answerback.core.framing.base import MAX_BATCH, Buffer, Malformed, Stateless

FIN, RESERVED, OPCODE = 0x80, 0x70, 0x0F
MASKED, LENGTH = 0x80, 0x7F
MASK_BYTES: Final = 4
SHORT: Final = 4096  # bytes of a payload up to which one large integer is the fastest
EXTENDED: Final = {126: 2, 127: 8}
"""The number of bytes of the length that follows the second byte, by the value in that byte."""


class WebSocketFrame(bytes):
    """The unmasked payload of a frame, with what else the frame says."""

    opcode: int
    fin: bool


@dataclass(frozen=True, slots=True)
class WebSocket(Stateless):
    """Each request is the payload of one frame, a control frame too, without its mask.

    Malformed are: a frame without a mask, reserved bits (no extension is known), and a length of 2^63 and more.
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
    if size and buffer[at] & RESERVED:
        raise Malformed("a frame has reserved bits set, but no extension was negotiated")
    if size < 2:
        return at + 2 + MASK_BYTES, at + 2 + MASK_BYTES
    if buffer[at + 1] < MASKED:
        raise Malformed("a frame of a client is not masked")
    length = buffer[at + 1] & LENGTH
    payload = at + 2 + MASK_BYTES
    if length in EXTENDED:
        payload += EXTENDED[length]
        if size > 2 and length == 127 and buffer[at + 2] & 0x80:
            raise Malformed("the length of a frame is 2^63 or more")
        length = (
            int.from_bytes(buffer[at + 2 : payload - MASK_BYTES], "big") if size >= payload - MASK_BYTES - at else 0
        )
    return payload, payload + length


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
