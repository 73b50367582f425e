"""Files named by the operator's configuration file that the API may not read: where an API change may keep them.

The file of `--config` may name any file, the API only files under `--files`. A client may send back the active
configuration as it was shown. A rule that names such a file may stay where it is; it may not be changed or moved,
otherwise a client that may change the configuration could send the operator's files anywhere.
"""

# Rule: a place is a rule, a fault or another part of a listener; it is the same if it is equal, field by field, in a
#       listener of the same name and address. The order of rules does not matter.

from collections.abc import Collection, Iterator
from typing import Any, Final

from answerback.language.files import file_names
from answerback.v1 import config_pb2 as v1

WHY: Final = (
    "it cannot be read through the API, only kept where the active configuration names it: "
    "in an unchanged rule of a listener with the same name and address"
)


def misplaced(config: v1.Config, active: v1.Config, outside: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the name of each file of `outside` that `config` names where `active` does not."""
    known = {(listener.name, listener.address): listener for listener in active.listeners}
    for index, listener in enumerate(config.listeners):
        before = known.get((listener.name, listener.address), v1.Listener())
        for field, value in listener.ListFields():
            if field.message_type is not None:
                path = f"listeners[{index}].{field.name}"
                yield from _misplaced(path, field, value, getattr(before, field.name), outside)


def _misplaced(path: str, field: Any, value: Any, before: Any, outside: Collection[str]) -> Iterator[tuple[str, str]]:
    """Do this for one field of a listener."""
    parts = [(f"{path}[{index}]", part) for index, part in enumerate(value)] if field.is_repeated else [(path, value)]
    same: set[bytes] | None = None
    for place, part in parts:
        named = [(at, name) for at, name in file_names(part, place) if name in outside]
        if not named:
            continue
        if same is None:
            same = {_content(each) for each in (before if field.is_repeated else (before,))}
        if _content(part) not in same:
            yield from named


def _content(part: Any) -> bytes:
    content: bytes = part.SerializeToString(deterministic=True)
    return content
