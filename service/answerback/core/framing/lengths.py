"""The encodings of a length: how the bytes of `length_prefix` become a number."""

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Literal

from answerback.core.escapes import quote
from answerback.core.framing.base import Buffer, Malformed

# Rule: a byte that no valid length contains is reported as soon as it is there, not when the length is complete.

MAX_DIGITS: Final = 20
MAX_VARINT_BYTES: Final = 10
MAX_BINARY_BYTES: Final = 8

INCOMPLETE: Final = -1

ReadLength = Callable[[Buffer, int], tuple[int, int]]
"""Reads the length that begins at a position. Returns the number and the position behind the length.

While the length is incomplete, returns INCOMPLETE and the lowest position at which it can end. Raises Malformed.
"""


class Encoding(Enum):
    """How a length is written."""

    BIG_ENDIAN = auto()
    LITTLE_ENDIAN = auto()
    DECIMAL = auto()
    HEX = auto()
    VARINT = auto()
    BER = auto()

    @property
    def is_binary(self) -> bool:
        """Whether the length is an integer with a fixed number of bytes."""
        return self in (Encoding.BIG_ENDIAN, Encoding.LITTLE_ENDIAN)

    @property
    def is_digits(self) -> bool:
        """Whether the length is written in digits."""
        return self in (Encoding.DECIMAL, Encoding.HEX)


def reader(encoding: Encoding, width: int, until: bytes) -> ReadLength:
    """Return the function that reads a length. Raises ValueError for a width or an ending that does not fit."""
    if encoding.is_binary:
        if not 1 <= width <= MAX_BINARY_BYTES or until:
            raise ValueError(f"a {encoding.name} length has 1 to {MAX_BINARY_BYTES} bytes, not {width}")
        return _binary(width, "little" if encoding is Encoding.LITTLE_ENDIAN else "big")
    if encoding.is_digits:
        if until:
            if width or not is_ending(until, encoding):
                raise ValueError(f"digits end before a byte that is not a digit, not before {quote(until)}")
            return _digits_until(encoding, until)
        if not 1 <= width <= MAX_DIGITS:
            raise ValueError(f"a {encoding.name} length has 1 to {MAX_DIGITS} digits, not {width}")
        return _digits(encoding, width)
    if width or until:
        raise ValueError(f"a {encoding.name} length ends by itself: it has neither width nor until")
    return _varint if encoding is Encoding.VARINT else _ber


def is_ending(until: bytes, encoding: Encoding) -> bool:
    """Whether these bytes can end a length written in digits: they are one byte, and not a digit."""
    return len(until) == 1 and not _DIGITS[encoding].fullmatch(until)


_DIGITS: Final = {Encoding.DECIMAL: re.compile(rb"[0-9]+"), Encoding.HEX: re.compile(rb"[0-9A-Fa-f]+")}
_BASES: Final = {Encoding.DECIMAL: 10, Encoding.HEX: 16}


def _binary(width: int, order: Literal["big", "little"]) -> ReadLength:
    def read(buffer: Buffer, at: int) -> tuple[int, int]:
        end = at + width
        if end > len(buffer):
            return INCOMPLETE, end
        return int.from_bytes(buffer[at:end], order), end

    return read


def _digits(encoding: Encoding, width: int) -> ReadLength:
    match, base = _DIGITS[encoding].match, _BASES[encoding]

    def read(buffer: Buffer, at: int) -> tuple[int, int]:
        digits = bytes(buffer[at : at + width])
        found = match(digits)
        size = found.end() if found else 0
        if size < len(digits):
            raise _not_a_digit(digits[size])
        return (int(digits, base) if size == width else INCOMPLETE), at + width

    return read


def _digits_until(encoding: Encoding, until: bytes) -> ReadLength:
    match, base = _DIGITS[encoding].match, _BASES[encoding]

    def read(buffer: Buffer, at: int) -> tuple[int, int]:
        written = bytes(buffer[at : at + MAX_DIGITS + 1])
        found = match(written)
        size = found.end() if found else 0
        if size > MAX_DIGITS:
            raise Malformed(f"the length has more than {MAX_DIGITS} digits")
        if size == len(written):
            return INCOMPLETE, at + max(size, 1) + 1
        if not size or not written.startswith(until, size):
            raise _not_a_digit(written[size])
        return int(written[:size], base), at + size + 1

    return read


def _not_a_digit(byte: int) -> Malformed:
    return Malformed(f"the length contains {quote(bytes([byte]))} where a digit is expected")


def _varint(buffer: Buffer, at: int) -> tuple[int, int]:
    """Seven bits in each byte, the least significant first; the top bit says that another byte follows."""
    number = shift = 0
    for end, byte in enumerate(buffer[at : at + MAX_VARINT_BYTES], at + 1):
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, end
        shift += 7
    size = shift // 7
    if size == MAX_VARINT_BYTES:
        raise Malformed(f"a varint has more than {MAX_VARINT_BYTES} bytes")
    return INCOMPLETE, at + size + 1


def _ber(buffer: Buffer, at: int) -> tuple[int, int]:
    """A byte below 0x80 is the length; any other says how many bytes of it follow (X.690, 8.1.3)."""
    if at >= len(buffer):
        return INCOMPLETE, at + 1
    first = buffer[at]
    if first < 0x80:
        return first, at + 1
    size = first & 0x7F
    if not size:
        raise Malformed("a BER length of the indefinite form (0x80)")
    if size > MAX_BINARY_BYTES:
        raise Malformed(f"a BER length of {size} bytes; at most {MAX_BINARY_BYTES} are supported")
    end = at + 1 + size
    if end > len(buffer):
        return INCOMPLETE, end
    return int.from_bytes(buffer[at + 1 : end], "big"), end
