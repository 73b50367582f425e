"""Actions of a session that follow each other and go the same way become one, so that each costs no system call."""

from collections.abc import Iterator, Sequence
from typing import Final

from answerback.core.actions import Action, Forward, Send

MAX_JOINED: Final = 64 << 10  # bytes that are copied together; a larger payload is passed on as it is


def joined(actions: Sequence[Action]) -> Iterator[Action]:
    """Yield the actions; bytes for the same side are one action, as far as they are small."""
    kind: type[Action] | None = None
    parts: list[bytes | memoryview] = []
    size = 0
    for action in actions:
        data = action.data if isinstance(action, Send | Forward) else None
        if parts and (data is None or type(action) is not kind or size + len(data) > MAX_JOINED):
            yield _one(kind, parts)
            parts, size = [], 0
        if data is None:
            yield action
        else:
            kind = type(action)
            parts.append(data)
            size += len(data)
    if parts:
        yield _one(kind, parts)


def _one(kind: type[Action] | None, parts: list[bytes | memoryview]) -> Action:
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    return Forward(bytes(data)) if kind is Forward else Send(data)
