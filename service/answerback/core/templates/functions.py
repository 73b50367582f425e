"""The functions of templates: `len:`, `u16be:` and the rest."""

import operator
import struct
import zlib
from binascii import hexlify
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from answerback.core.templates import values
from answerback.core.templates.errors import MOST, TooLong
from answerback.core.templates.values import LARGEST, Value

# Rule: one function, one row, one test. A function whose result is longer than its argument checks `MOST` first.

WIDEST_PAD: Final = 64  # digits


@dataclass(frozen=True, slots=True)
class Function:
    """A function of templates. `largest` is the greatest literal that it accepts; None if it takes bytes."""

    make: Callable[..., Value]
    largest: int | None = None
    arguments: int = 1


def _of_bytes(function: Callable[[bytes], bytes]) -> Function:
    return Function(partial(values.bytes_by, function))


def _measure(function: Callable[[bytes], int]) -> Function:
    return Function(partial(values.number_by, function))


def _packing(format_: str) -> Function:
    """Pack the number in a fixed width, modulo 2^n, as length and checksum fields are.

    A literal that does not fit is a mistake, and rejected.
    """
    packer = struct.Struct(format_)
    pack, mask = packer.pack, (1 << 8 * packer.size) - 1
    return Function(partial(values.bytes_of_number, lambda value: pack(value & mask), packed=True), mask)


def _padding(width: int) -> Function:
    """Decimal digits with leading zeros up to the width; a longer number is not truncated."""
    digits = b"%%0%dd" % width
    return Function(partial(values.bytes_of_number, digits.__mod__, packed=False), LARGEST)


def _of_two_bytes(function: Callable[[int, int], int]) -> Function:
    return Function(partial(values.byte_of_numbers, function), 0xFF, arguments=2)


def tohex(data: bytes) -> bytes:
    """Two lower-case hexadecimal digits for each byte. Raises TooLong."""
    if len(data) > MOST // 2:
        raise TooLong
    return hexlify(data)


def sum8(data: bytes) -> int:
    """The sum of the bytes modulo 256, as FIX's CheckSum (tag 10) has it."""
    return sum(data) & 0xFF


FUNCTIONS: Final[dict[str, Function]] = {
    "len": _measure(len),
    "crc32": _measure(zlib.crc32),  # CRC-32/ISO-HDLC: Ethernet's, zip's and PNG's
    "sum8": _measure(sum8),
    "tohex": _of_bytes(tohex),
    "upper": _of_bytes(bytes.upper),
    "lower": _of_bytes(bytes.lower),
    "u8": _packing(">B"),
    "u16be": _packing(">H"),
    "u16le": _packing("<H"),
    "u32be": _packing(">I"),
    "u32le": _packing("<I"),
    "u64be": _packing(">Q"),
    "u64le": _packing("<Q"),
    "or": _of_two_bytes(operator.or_),
    "xor": _of_two_bytes(operator.xor),
} | {f"pad{width}": _padding(width) for width in range(1, WIDEST_PAD + 1)}
