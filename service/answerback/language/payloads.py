"""The bytes that a payload or a literal means."""

import base64
import binascii
import string

from google.protobuf.message import Message

from answerback.language.contents import Files, view_of
from answerback.v1 import config_pb2 as v1

MAX_BYTES = 16 << 20  # of one payload

_HEX_DIGITS = frozenset(string.hexdigits)
_BASE64_DIGITS = frozenset(string.ascii_letters + string.digits + "+/")
_WHITE_SPACE = dict.fromkeys(map(ord, " \t\r\n\v\f"))


Source = v1.Payload | v1.Literal | v1.Bytes


class MissingFile(ValueError):
    """A file that was not read; why was said when it was tried."""


def says_nothing(message: Message) -> str:
    """The problem of a payload of which no field is set."""
    *names, last = (field.name for field in message.DESCRIPTOR.oneofs[0].fields)
    return f"empty: set one of {', '.join(names)}, {last}" if names else f"empty: set {last}"


def decode(payload: Source, files: Files) -> bytes:
    """The bytes. Raises ValueError, whose text says what is wrong with the field that is given."""
    data = shared(payload, files)
    return data if isinstance(data, bytes) else bytes(data)


def shared(payload: Source, files: Files) -> bytes | memoryview:
    """The bytes; those of a large file are not copied. Raises ValueError, as `decode` does."""
    data: bytes | memoryview
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
        data = view_of(files[payload.file])
    elif kind == "template":
        raise ValueError("a template is not the same bytes each time")
    else:
        raise ValueError(says_nothing(payload))
    if len(data) > MAX_BYTES:
        raise ValueError(f"{len(data)} bytes; at most {MAX_BYTES} are sent at once")
    return data


def _from_hex(text: str) -> bytes:
    digits = text.translate(_WHITE_SPACE)
    wrong = next((character for character in digits if character not in _HEX_DIGITS), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is not a hexadecimal digit")
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
        raise ValueError("not base64: its last digit has bits that belong to no byte")
    return data
