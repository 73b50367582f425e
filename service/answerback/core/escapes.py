r"""Escaping of bytes: printable ASCII as it is, everything else as in C (`PING\r\n`, `\x00`)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

# Rule: unescaping an escaped text gives the same bytes, and the text contains no terminal control characters.

SHOWN: Final = 60  # bytes that a message quotes of a payload, unless they are shown `in_full`

_NAMED: Final = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\", '"': b'"', "'": b"'"}
_WRITTEN: Final = {value[0]: f"\\{name}" for name, value in _NAMED.items() if name not in "0'"}
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)


_in_full: ContextVar[bool] = ContextVar("quoted_in_full", default=False)


@contextmanager
def in_full() -> Iterator[None]:
    """Within the block, `quote` leaves nothing out."""
    token = _in_full.set(True)
    try:
        yield
    finally:
        _in_full.reset(token)


def escape(data: bytes) -> str:
    """Escape bytes, for use between double quotes."""
    return "".join(_WRITTEN.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in data)


def quote(data: bytes) -> str:
    """Quote bytes for a message: escaped, between quotes, the middle left out if they are many."""
    if len(data) <= SHOWN or _in_full.get():
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
    """Encode as UTF-8; surrogates stand for bytes that the command line could not decode, and become those bytes."""
    return text.encode("utf-8", "surrogateescape")
