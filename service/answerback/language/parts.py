"""How many parts a message has: what it costs to hold, check and compile, however few bytes it takes.

A part is a field that is set, or one element of a list. On the wire (protobuf.dev/programming-guides/encoding) each has
a tag of its own, so 4 MiB may carry two million of them, of 600 bytes each once they are Python's.
"""

# Rule: counting makes nothing of what it counts, and stops at the bound.

from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor

MAX_PARTS: Final = 200_000  # 20 for each of 10,000 rules; some 50 MiB and half a second of checking
DURATION_PARTS: Final = 2  # of a duration or a time, which a file writes as one value: seconds and nanoseconds
MAX_DEPTH: Final = 100  # of messages in one another; protobuf reads no more
TOO_MANY: Final = f"more than {MAX_PARTS} fields and list items; split it, or move payloads to files"

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_PACKED: Final = {
    **dict.fromkeys((FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_SFIXED64), 8),
    **dict.fromkeys((FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_FIXED32, FieldDescriptor.TYPE_SFIXED32), 4),
}
_BYTES = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


class TooManyParts(Exception):
    """A message has more parts than there may be."""


class NoMessage(Exception):
    """The bytes are no message."""


def check_parts(data: bytes, kind: Descriptor, most: int = MAX_PARTS) -> int:
    """How many parts a message of this kind has, from its bytes. Raises TooManyParts, NoMessage."""
    try:
        return _count(data, kind, most)
    except IndexError:
        raise NoMessage from None


def _count(data: bytes, kind: Descriptor, most: int) -> int:  # noqa: C901, PLR0912 - one loop: it runs for every part
    """The same; IndexError where the bytes end too soon."""
    outer: list[tuple[int, dict[int, Descriptor | int]]] = []
    fields, end, at, parts = _fields(kind), len(data), 0, 0
    while True:
        while at == end:
            if not outer:
                return parts
            end, fields = outer.pop()
        parts += 1
        if parts > most:
            raise TooManyParts
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = _varint(data, at - 1)
        wire = tag & 7
        if wire == _DELIMITED:
            size = data[at]
            at += 1
            if size > 127:
                size, at = _varint(data, at - 1)
            inner = fields.get(tag >> 3)
            if isinstance(inner, int):
                parts += _elements(data[at : at + size], inner)
                if parts > most:
                    raise TooManyParts
            elif inner is not None:
                if len(outer) >= MAX_DEPTH or at + size > end:
                    raise NoMessage
                outer.append((end, fields))
                fields, end = _fields(inner), at + size
                continue
            at += size
        elif wire == _VARINT:
            _, at = _varint(data, at)
        elif wire in _FIXED:
            at += _FIXED[wire]
        else:
            raise NoMessage  # groups, which proto3 does not have
        if at > end:
            raise NoMessage


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of at most ten bytes, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise NoMessage


def _elements(packed: bytes, width: int) -> int:
    """How many numbers are packed beyond the first; `width`: the bytes of each, 0 if they vary."""
    return max(0, (len(packed) // width if width else sum(byte < 128 for byte in packed)) - 1)


@cache
def _fields(kind: Descriptor) -> dict[int, Descriptor | int]:
    """The fields that have parts in them, by number: the message that each holds, or the width of packed numbers."""
    return {field.number: inner for field in kind.fields if (inner := _inner(field)) is not None}


def _inner(field: Any) -> Descriptor | int | None:
    if field.message_type is not None:
        message: Descriptor = field.message_type
        return message
    return _PACKED.get(field.type, 0) if field.is_repeated and field.type not in _BYTES else None
