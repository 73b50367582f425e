"""Functions between ints and bytes."""

import re
import struct
from collections.abc import Callable
from typing import Final

from answerback.core.expressions.errors import EvaluationError, bounded
from answerback.core.expressions.operators import in_range

MOST_DIGITS: Final = 20  # 2**64 - 1 has as many
MOST_BYTES: Final = 8

_DECIMAL = re.compile(rb"-?[0-9]{1,20}")
_HEXADECIMAL = re.compile(rb"[0-9a-fA-F]{1,16}")


def decimal(data: bytes) -> int:
    """Read decimal digits, 20 at most, with or without a minus sign."""
    if _DECIMAL.fullmatch(data) is None:
        raise EvaluationError(f"int: {_shown(data)} is not a number of 1 to {MOST_DIGITS} digits")
    return in_range(int(data))


def hexadecimal(data: bytes) -> int:
    """Read hexadecimal digits, 16 at most."""
    if _HEXADECIMAL.fullmatch(data) is None:
        raise EvaluationError(f"int: {_shown(data)} is not a number of 1 to {2 * MOST_BYTES} hexadecimal digits")
    return int(data, 16)


def digits(number: int) -> bytes:
    """Write decimal digits."""
    return b"%d" % number


def big_endian(data: bytes) -> int:
    """Read a number, the high byte first; 0 for no bytes."""
    if len(data) > MOST_BYTES:
        raise EvaluationError(f"be: {len(data)} bytes; at most {MOST_BYTES} are a number")
    return int.from_bytes(data, "big")


def little_endian(data: bytes) -> int:
    """Read a number, the low byte first; 0 for no bytes."""
    if len(data) > MOST_BYTES:
        raise EvaluationError(f"le: {len(data)} bytes; at most {MOST_BYTES} are a number")
    return int.from_bytes(data, "little")


def packing(name: str, form: str) -> Callable[[int], bytes]:
    """Return the function of this name that writes a number in the form of `struct`."""
    packer = struct.Struct(form)
    pack, most = packer.pack, (1 << 8 * packer.size) - 1

    def packed(number: int) -> bytes:
        if not 0 <= number <= most:
            raise EvaluationError(f"{name}: {number} is out of range, 0 to {most}")
        return pack(number)

    return packed


def three_bytes(name: str, *, little: bool) -> Callable[[int], bytes]:
    """Return the function of this name that writes a number of three bytes."""
    order, most = "little" if little else "big", (1 << 24) - 1

    def packed(number: int) -> bytes:
        if not 0 <= number <= most:
            raise EvaluationError(f"{name}: {number} is out of range, 0 to {most}")
        return number.to_bytes(3, "little" if order == "little" else "big")

    return packed


def varint(number: int) -> bytes:
    """Write seven bits a byte, the low ones first; the high bit of a byte says that another one follows."""
    if number < 0:
        raise EvaluationError(f"varint: {number} is negative")
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def ber_length(number: int) -> bytes:
    """Write a length of BER (X.690, section 8.1.3): one byte up to 127, else the number of bytes that follow."""
    if number < 0:
        raise EvaluationError(f"ber_length: {number} is negative")
    if number < 0x80:
        return bytes((number,))
    size = (number.bit_length() + 7) // 8
    return bytes((0x80 | size,)) + number.to_bytes(size, "big")


def pad(number: int, width: int) -> bytes:
    """Write decimal digits with zeros before them up to the width; a longer number is not truncated."""
    if width < 0:
        raise EvaluationError(f"pad: a width of {width} is negative")
    bounded(width)
    return b"%0*d" % (width, number)


def _shown(data: bytes) -> str:
    return repr(data[:MOST_DIGITS])[1:] + ("…" if len(data) > MOST_DIGITS else "")
