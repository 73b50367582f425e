"""What of a configuration is in more than one place: every payload, every message."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from answerback.language.problems import step_into

# Rule: paths are made here and in `reading` alike, from field names and indexes alone.


def messages(message: Message, path: str = "") -> Iterator[tuple[str, Message]]:
    """A message and every one in it, each with its path."""
    pending: list[tuple[str, Message]] = [(path, message)]
    while pending:
        here, current = pending.pop()
        yield here, current
        pending.extend(reversed(list(_children(current, here))))


def _children(message: Message, path: str) -> Iterator[tuple[str, Any]]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        below = step_into(path, field.name)
        if field.is_repeated:
            yield from ((f"{below}[{index}]", item) for index, item in enumerate(value))
        else:
            yield below, value
