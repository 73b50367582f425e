r"""Bytes as people write and read them: printable ASCII as it stands, all else as C writes it (`PING\r\n`, `\x00`)."""

import re
from typing import Final

# Rule: what is escaped reads back as the same bytes, and has nothing in it that a terminal obeys.

SHOWN: Final = 60  # bytes of something that a message repeats

_NAMED: Final = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"', "'": b"'"}
_WRITTEN: Final = {value[0]: f"\\{name}" for name, value in _NAMED.items() if name not in "0'"}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)


def escape(data: bytes) -> str:
    """The bytes in text that can stand between double quotes."""
    return "".join(_WRITTEN.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)


def quote(data: bytes) -> str:
    """The bytes as a message repeats them: escaped, between quotes, the middle left out if they are many."""
    if len(data) <= SHOWN:
        return f'"{escape(data)}"'
    half = SHOWN // 2
    return f'"{escape(data[:half])}"…"{escape(data[-half:])}" ({len(data)} bytes)'


def unescape(text: str) -> bytes:
    r"""The bytes of a text with `\r \n \t \0 \\ \" \' \xNN` in it; what is no escape is UTF-8.

    Raises ValueError for any other escape, with its place in the text.
    """
    parts: list[bytes] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        digits, name = found.groups()
        if digits is None and name not in _NAMED:
            what = f"\\{name}" if name else "a backslash at the end"
            raise ValueError(rf"{what} (at {found.start()}) is no escape: there are \r \n \t \0 \\ \" \' and \xNN")
        parts += [_utf8(text[at : found.start()]), bytes.fromhex(digits) if digits else _NAMED[name]]
        at = found.end()
    return b"".join((*parts, _utf8(text[at:])))


def _utf8(text: str) -> bytes:
    """What a command line could not decode stands in it as surrogates: the bytes that they stand for."""
    return text.encode("utf-8", "surrogateescape")
