"""Descriptors, as files use them: choices, shorthand, and the words for fields and values."""

import difflib
import re
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.v1 import options_pb2

# Rule: nothing here names a message, a field or a value of the configuration language.

WRITTEN_AS_ONE: tuple[Descriptor, ...] = (Duration.DESCRIPTOR, Timestamp.DESCRIPTOR)


def choices(descriptor: Descriptor) -> list[OneofDescriptor]:
    """The oneofs that the schema declares: `optional` makes one of its own around a field."""
    return [oneof for oneof in descriptor.oneofs if oneof.name != f"_{oneof.fields[0].name}"]


def shorthand(descriptor: Descriptor, *, binary: bool = False) -> FieldDescriptor | None:
    """The field that a bare scalar or list fills; `binary`: that bytes fill."""
    options = descriptor.GetOptions().Extensions
    name = (options[options_pb2.binary] if binary else "") or options[options_pb2.shorthand]
    return descriptor.fields_by_name[name] if name else None


def words(descriptor: Descriptor) -> list[str]:
    """The members that a bare word names: those that may be empty."""
    if not descriptor.GetOptions().Extensions[options_pb2.word]:
        return []
    return [field.name for oneof in choices(descriptor) for field in oneof.fields if _may_be_empty(field)]


def short_words(enum: EnumDescriptor) -> dict[str, int]:
    """What a file may say for the values of an enum, in capitals: without the prefix that they share."""
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.name.removeprefix(prefix): value.number for value in enum.values if value.number}


def renamed(kind: Descriptor, word: str) -> str:
    """The name of a field that was called `word` before; empty if none was."""
    return next((field.name for field in kind.fields if option(field, options_pb2.formerly) == word), "")


def ours(kind: Descriptor, word: str) -> str:
    """The name of the field that other tools call `word`; empty if there is none."""
    return next((field.name for field in kind.fields if word in option(field, options_pb2.elsewhere)), "")


def renamed_value(enum: EnumDescriptor, word: str) -> str:
    """The word of an enum's value that was called `word` before; empty if none was."""
    number = next((each.number for each in enum.values if option(each, options_pb2.formerly_value) == word), None)
    return next((today for today, value in short_words(enum).items() if value == number), "")


def option(described: Any, extension: Any) -> Any:
    """The value of an option of a field or an enum's value."""
    return described.GetOptions().Extensions[extension]


def _may_be_empty(field: FieldDescriptor) -> bool:
    kind = field.message_type
    if kind is None or kind in WRITTEN_AS_ONE or choices(kind) or shorthand(kind) is not None:
        return False
    return not any(needed.GetOptions().Extensions[options_pb2.required] for needed in kind.fields)


def suggestion(word: str, known: list[str]) -> str:
    """`; did you mean …?`, or what there is."""
    close = difflib.get_close_matches(word.lower()[:64], [name.lower() for name in known], n=1)
    if close:
        return f"; did you mean {next(name for name in known if name.lower() == close[0])}?"
    return f"; known: {', '.join(known)}"
