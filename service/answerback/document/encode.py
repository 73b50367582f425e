"""A message to canonical YAML: without shorthand, with every name in full, in the order of the schema."""

import json
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.language import durations, timestamps
from answerback.v1 import config_pb2 as v1

# Rule: `load` reads back what is written here to an equal message.
# Rule: any reader of YAML, 1.1 or 1.2, takes text for text: it is plain only if it looks like nothing else.

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|[0-9]+(?:\.[0-9]+){3}:[0-9]+")
_NOT_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def dump(config: v1.Config) -> str:
    """The YAML of a configuration."""
    return "\n".join(_lines(config, "")) + "\n" if config.listeners else "listeners: []\n"


def _lines(message: Message, indent: str) -> Iterator[str]:
    for field, value in message.ListFields():
        if field.is_repeated:
            yield f"{indent}{field.name}:"
            for item in value:
                yield from _item(field, item, f"{indent}  ")
        elif _is_block(field, value):
            yield f"{indent}{field.name}:"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{field.name}: {_single(field, value)}"


def _item(field: FieldDescriptor, item: Any, indent: str) -> Iterator[str]:
    if not _is_block(field, item):
        yield f"{indent}- {_single(field, item)}"
        return
    first, *others = _lines(item, f"{indent}  ")
    yield f"{indent}- {first.lstrip()}"
    yield from others


def _is_block(field: FieldDescriptor, value: Any) -> bool:
    """Whether it is a message that takes lines of its own."""
    return field.message_type is not None and not isinstance(value, (Duration, Timestamp)) and bool(value.ListFields())


def _single(field: FieldDescriptor, value: Any) -> str:
    if isinstance(value, Duration):
        return durations.written(value)
    if isinstance(value, Timestamp):
        return timestamps.written(value)
    if field.message_type is not None:
        return "{}"
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else str(value)
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT else _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """In double quotes, with escapes that YAML has: JSON's, but for characters beyond the BMP."""
    escaped = json.dumps(text, ensure_ascii=False)
    return escaped if escaped.isprintable() else "".join(map(_escaped, escaped))


def _escaped(character: str) -> str:
    return character if character.isprintable() else f"\\U{ord(character):08x}"
