"""What an imposter speaks, and what its strings mean: UTF-8, or in binary mode the bytes that base64 encodes."""

import base64
import re
from enum import Enum
from typing import Any

from answerback.importing.source import Value

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


class Kind(Enum):
    """What an imposter speaks."""

    TEXT = "tcp in text mode"
    BINARY = "tcp in binary mode"
    HTTP = "http"


def data_of(value: Value, *, binary: bool) -> bytes:
    """The bytes that a string means. Raises Unfit."""
    text = value.text()
    return _unbase64(text) if binary else text.encode()


def payload(data: bytes) -> dict[str, Any]:
    """Bytes as a configuration has them: text if they can be read as text, hexadecimal digits otherwise."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}
    readable = all(each.isprintable() or each in "\r\n\t" for each in text)
    return {"text": text} if readable else {"hex": data.hex()}


def _unbase64(text: str) -> bytes:
    """Decode as Node.js does: up to the first `=`, in either alphabet, ignoring everything else."""
    digits = _NOT_BASE64.sub("", text.partition("=")[0].replace("-", "+").replace("_", "/"))
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits are no byte
    return base64.b64decode(digits + "=" * (-len(digits) % 4))
