"""Checksums, and the exclusive or of bytes."""

import binascii
import operator
import zlib
from functools import reduce
from typing import Final

from answerback.core.expressions.errors import EvaluationError, bounded

_REFLECTED: Final = 0xA001  # x^16 + x^15 + x^2 + 1, the low bit first
_CCITT_INITIAL: Final = 0xFFFF


def _row(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (_REFLECTED if byte & 1 else 0)
    return byte


_TABLE: Final = [_row(byte) for byte in range(256)]


def crc16(data: bytes) -> int:
    """The CRC-16 of Modbus: polynomial 0xA001 (reflected), initial value 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def crc16_ccitt(data: bytes) -> int:
    """The CRC-16 of CCITT: polynomial 0x1021, initial value 0xFFFF."""
    return binascii.crc_hqx(data, _CCITT_INITIAL)


def crc32(data: bytes) -> int:
    """The CRC-32 of Ethernet, zip and PNG."""
    return zlib.crc32(data)


def sum8(data: bytes) -> int:
    """The sum of the bytes modulo 256, as FIX's CheckSum (tag 10) has it."""
    return sum(data) & 0xFF


def xor8(data: bytes) -> int:
    """The exclusive or of the bytes, as NMEA 0183 has it."""
    return reduce(operator.xor, data, 0)


def lrc(data: bytes) -> int:
    """The two's complement of the sum of the bytes, as Modbus ASCII has it."""
    return -sum(data) & 0xFF


def xor(data: bytes, key: bytes) -> bytes:
    """The exclusive or with a key that is repeated."""
    if not key:
        raise EvaluationError("xor: the key is empty")
    size = len(data)
    bounded(size)
    repeated = (key * (size // len(key) + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
