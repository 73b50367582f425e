"""From the API's messages to plain values."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.document.values import value_of, word
from answerback.language.problems import Problem
from answerback.v1 import problem_pb2

# Rule: a field of a newer server, which the class does not have, is left out.

T = TypeVar("T")

PLAIN: Final[dict[str, type]] = {problem_pb2.Problem.DESCRIPTOR.full_name: Problem}
"""The class for each message, by the message's full name."""


def plain(message: Any) -> Callable[[type[T]], type[T]]:
    """Register a class for a message."""

    def register(cls: type[T]) -> type[T]:
        PLAIN[message.DESCRIPTOR.full_name] = cls
        return cls

    return register


def value(message: Any) -> Any:
    """Return a message as a value of its class; a part of a configuration as a dict."""
    cls = PLAIN.get(message.DESCRIPTOR.full_name)
    if cls is None:
        return value_of(message)
    known: Mapping[str, FieldDescriptor] = message.DESCRIPTOR.fields_by_name
    wanted = (each.name for each in fields(cls) if each.name in known)
    return cls(**{name: _field(message, known[name]) for name in wanted})


def _field(message: Any, field: FieldDescriptor) -> Any:
    found = getattr(message, field.name)
    if field.is_repeated:
        return tuple(_single(field, item) for item in found)
    if (field.message_type is not None or _is_optional(field)) and not message.HasField(field.name):
        return None
    return _single(field, found)


def _is_optional(field: FieldDescriptor) -> bool:
    """Whether a single value is declared `optional`: the schema then makes a oneof of its own around it."""
    return field.containing_oneof is not None and field.containing_oneof.name == f"_{field.name}"


def _single(field: FieldDescriptor, found: Any) -> Any:
    if isinstance(found, Timestamp):
        return found.ToDatetime(UTC)
    if isinstance(found, Duration):
        return found.ToTimedelta()
    if field.message_type is not None:
        return value(found)
    if field.enum_type is not None:
        return word(field, found) if found else ""
    return found
