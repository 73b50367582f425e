"""The parts of a configuration that occur in many places: payloads, messages."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from answerback.language.problems import step_into

# Rule: paths are made here and in `reading` alike, from field names and indexes alone.


def messages(message: Message, path: str = "") -> Iterator[tuple[str, Message]]:
    """A message and every one in it, each with its path."""
    yield path, message
    # Iterators, not lists: a list has an object for each message in it as soon as one of them is looked at.
    pending = [_children(message, path)]
    while pending:
        for here, current in pending[-1]:
            yield here, current
            pending.append(_children(current, here))
            break
        else:
            pending.pop()


def _children(message: Message, path: str) -> Iterator[tuple[str, Any]]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        below = step_into(path, field.name)
        if field.is_repeated:
            yield from ((f"{below}[{index}]", item) for index, item in enumerate(value))
        else:
            yield below, value
