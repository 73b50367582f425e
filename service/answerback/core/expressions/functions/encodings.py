"""Functions that encode and decode bytes."""

import binascii
import re
from string import ascii_letters, digits
from typing import Final

from answerback.core.expressions.errors import EvaluationError, bounded

_UNRESERVED: Final = frozenset((ascii_letters + digits + "-._~").encode())  # RFC 3986, section 2.3
_QUOTED: Final = [bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte for byte in range(256)]
_ESCAPE: Final = re.compile(rb"%([0-9a-fA-F]{2})")
_BYTES: Final = {b"%02x" % byte: bytes((byte,)) for byte in range(256)}


def to_hex(data: bytes) -> bytes:
    """Two lower-case hexadecimal digits for each byte."""
    bounded(2 * len(data))
    return binascii.hexlify(data)


def from_hex(data: bytes) -> bytes:
    """The bytes with these hexadecimal digits; white space between pairs is ignored."""
    bounded(len(data) // 2)
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        raise EvaluationError("unhex: not pairs of hexadecimal digits") from None


def to_base64(data: bytes) -> bytes:
    """Base64 with padding, without line ends (RFC 4648, section 4)."""
    bounded((len(data) + 2) // 3 * 4)
    return binascii.b2a_base64(data, newline=False)


def from_base64(data: bytes) -> bytes:
    """The bytes that base64 encodes; padding is required."""
    bounded(len(data) // 4 * 3)
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except binascii.Error:
        raise EvaluationError("unbase64: not base64") from None


def to_percents(data: bytes) -> bytes:
    """All bytes but letters, digits and `-._~` as `%XX` (RFC 3986)."""
    quoted = [_QUOTED[byte] for byte in data]
    bounded(sum(map(len, quoted)))
    return b"".join(quoted)


def from_percents(data: bytes) -> bytes:
    """The bytes that `%XX` stand for; any other text stays."""
    bounded(len(data))
    return _ESCAPE.sub(lambda found: _BYTES[found[1].lower()], data)
