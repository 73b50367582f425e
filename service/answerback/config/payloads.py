"""The bytes that a payload or a literal means."""

import base64
import binascii
import string
from collections.abc import Mapping

from answerback.v1 import config_pb2 as v1

MAX_BYTES = 16 << 20  # of one payload: each is held by every worker

_HEX_DIGITS = frozenset(string.hexdigits)
_BASE64_DIGITS = frozenset(string.ascii_letters + string.digits + "+/")
_WHITE_SPACE = dict.fromkeys(map(ord, " \t\r\n\v\f"))


class MissingFile(ValueError):
    """A file that was not read; why was said when it was tried."""


def decode(payload: v1.Payload | v1.Literal, files: Mapping[str, bytes]) -> bytes:
    """The bytes. Raises ValueError, whose text says what is wrong with the field that is given."""
    kind = payload.WhichOneof("bytes")
    if kind == "text":
        data = payload.text.encode()
    elif kind == "hex":
        data = _from_hex(payload.hex)
    elif kind == "base64":
        data = _from_base64(payload.base64)
    elif kind == "file":
        if payload.file not in files:
            raise MissingFile("the file was not read")
        data = files[payload.file]
    else:
        raise ValueError("says nothing: give text, hex, base64 or file")
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes; at most {MAX_BYTES} are sent at once")
    return data


def _from_hex(text: str) -> bytes:
    digits = text.translate(_WHITE_SPACE)
    wrong = next((character for character in digits if character not in _HEX_DIGITS), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no hexadecimal digit")
    if len(digits) % 2:
        raise ValueError("odd number of digits")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError("white space within a pair of digits") from None


def _from_base64(text: str) -> bytes:
    wrong = next((character for character in text.rstrip("=") if character not in _BASE64_DIGITS), None)
    if wrong is not None:
        raise ValueError(f"not base64: {wrong!r} is not in its alphabet, A-Z a-z 0-9 + /")
    if len(text) % 4:
        raise ValueError("not base64: its length is no multiple of 4; it is padded with =")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("not base64: too much padding") from None
    if base64.b64encode(data).decode() != text:
        raise ValueError("not base64: its last digit says more than there are bytes")
    return data
