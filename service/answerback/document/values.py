"""Python values as in YAML (dicts, lists, text, numbers) to a message, and a message to such values."""

# Rule: the same as in `decode`: the schema says what a value means; nothing here names a message or a field.
# Rule: `fill` reads back what `value_of` returns to an equal message.

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.document import decode, schema
from answerback.document.yaml_tree import MAX_DEPTH, Binary, Fields, Items, Node, Scalar
from answerback.language import durations, timestamps
from answerback.language.problems import Enough, Problem, Problems


def fill(message: Message, value: object) -> list[Problem]:
    """Fill an empty message with a value; return what is wrong with the value.

    Text is text, also where YAML would read a number: `{"size": 4}`, not `{"size": "4"}`. `bytes` stand for their
    UTF-8 text, or, where they are none, for the field that takes hexadecimal digits.
    A `timedelta` is a duration, an aware `datetime` a time.
    """
    problems = Problems()
    with suppress(Enough):
        try:
            node = _node(value, 0)
        except ValueError as problem:
            problems.add("", str(problem))
        else:
            decode.read(node, message, problems)
    return problems.found()


def value_of(message: Message) -> dict[str, Any]:
    """Return a message as a dict, in the canonical form: without shorthand, without what is not set."""
    return {
        field.name: [_single(field, item) for item in value] if field.is_repeated else _single(field, value)
        for field, value in message.ListFields()
    }


def word(field: FieldDescriptor, number: int) -> str:
    """Return the value of an enum as a configuration says it; its number if only a newer version knows it."""
    words = {number: word for word, number in schema.short_words(field.enum_type).items()}
    return words.get(number, str(number))


def _single(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Duration):
        return durations.written(value)
    if isinstance(value, Timestamp):
        return timestamps.written(value)
    if field.message_type is not None:
        return value_of(value)
    return word(field, value) if field.enum_type is not None else value


def _node(value: object, depth: int) -> Node:
    """Return the node that a YAML text would have given for a value. Raises ValueError."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    if isinstance(value, Mapping):
        entries = [(_node(key, depth), _node(each, depth + 1)) for key, each in value.items()]
        return Fields(entries, None, None, 0, 0)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Items([_node(each, depth + 1) for each in value], None, None, 0, 0)
    return _scalar(value)


def _scalar(value: object) -> Scalar:
    """Text is as if in quotes, anything else as if without. Raises ValueError."""
    match value:
        case str():
            text, plain = str(value), False
        case timedelta():
            text, plain = _duration(value), False
        case datetime():
            text, plain = _time(value), False
        case None:
            text, plain = "", True
        case bool() | int() | float():
            text, plain = repr(value), True
        case _:
            raise ValueError(f"a value of {type(value).__name__} has no form in a configuration")
    return Scalar(text, plain, None, None, 0)


def _duration(value: timedelta) -> str:
    message = Duration()
    message.FromTimedelta(value)
    return durations.written(message)


def _time(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a datetime needs a time zone, such as datetime.now(UTC)")
    message = Timestamp()
    message.FromDatetime(value)
    return timestamps.written(message)


def _bytes(value: bytes) -> Scalar:
    try:
        return Scalar(value.decode(), False, None, None, 0)
    except UnicodeDecodeError:
        return Binary(value.hex(), False, None, None, 0)
