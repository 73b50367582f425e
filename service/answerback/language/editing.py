"""One listener of a configuration changed: a configuration and what is asked of it in, the changed one out."""

# Rule: what is given is never changed; what comes out is a copy.
# Rule: masks follow AIP-134 (google.aip.dev/134) and google/protobuf/field_mask.proto.

from collections.abc import Iterable, Sequence
from typing import Any, Final

from google.protobuf.message import Message

from answerback.language.problems import Problem, quoted
from answerback.v1 import config_pb2 as v1

ALL: Final = "*"


class NoSuchListener(Exception):
    """There is no listener of the name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no listener {quoted(name)}")
        self.name = name


class ListenerExists(Exception):
    """There is a listener of the name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"listener {quoted(name)} already exists")
        self.name = name


class BadMask(Exception):
    """Paths of an update mask lead to no field; `problems` says of each why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


def index_of(config: v1.Config, name: str) -> int | None:
    """The place of a listener among all; None if there is none of the name."""
    return next((index for index, listener in enumerate(config.listeners) if listener.name == name), None)


def created(config: v1.Config, listener: v1.Listener) -> v1.Config:
    """With one more listener, behind all others. Raises ListenerExists."""
    if index_of(config, listener.name) is not None:
        raise ListenerExists(listener.name)
    changed = copied(config)
    changed.listeners.append(listener)
    return changed


def updated(
    config: v1.Config, listener: v1.Listener, mask: Sequence[str] = (), *, allow_missing: bool = False
) -> v1.Config:
    """With the fields of the mask as they are in `listener`; without a mask, with all that are set there.

    `allow_missing`: a listener that is not there is created, whatever the mask says. Raises NoSuchListener, BadMask.
    """
    problems = list(_problems(mask))
    if problems:
        raise BadMask(problems)
    index = index_of(config, listener.name)
    if index is None:
        if not allow_missing:
            raise NoSuchListener(listener.name)
        return created(config, listener)
    changed = copied(config)
    target = changed.listeners[index]
    if ALL in mask:
        target.CopyFrom(listener)
    for path in [path for path in mask if path != ALL] or [field.name for field, _ in listener.ListFields()]:
        _take(path.split("."), listener, target)
    return changed


def deleted(config: v1.Config, name: str, *, allow_missing: bool = False) -> v1.Config:
    """Without the listener. Raises NoSuchListener, unless it may be missing."""
    index = index_of(config, name)
    if index is None and not allow_missing:
        raise NoSuchListener(name)
    changed = copied(config)
    if index is not None:
        del changed.listeners[index]
    return changed


def copied(config: v1.Config) -> v1.Config:
    """A copy, to be changed."""
    copy = v1.Config()
    copy.CopyFrom(config)
    return copy


def _problems(mask: Sequence[str]) -> Iterable[Problem]:
    """What is wrong with the paths of a mask, each by its place in the request."""
    for index, path in enumerate(mask):
        why = _obstacle(path)
        if path == ALL and len(mask) > 1:
            why = "`*` selects all fields and must be the only path"
        if why:
            yield Problem(f"update_mask.paths[{index}]", why)


def _obstacle(path: str) -> str:
    """Why a path leads to no field of a listener; empty if it does."""
    kind: Any = v1.Listener.DESCRIPTOR
    if path == ALL:
        return ""
    before: Any = None
    for name in path.split("."):
        if before is not None and before.is_repeated:
            return f"{quoted(path)}: {before.name} is a list, which is taken whole"
        if kind is None:
            return f"{quoted(path)}: there is nothing in {before.name}"
        if name not in kind.fields_by_name:
            return f"{quoted(path)}: {kind.name} has no field {quoted(name)}"
        before = kind.fields_by_name[name]
        kind = before.message_type
    return ""


def _take(path: Sequence[str], source: Any, target: Any) -> None:
    """Make what is at the path in `target` what it is in `source`."""
    name, *rest = path
    if not rest:
        _take_field(name, source, target)
    elif source.HasField(name):
        below = getattr(target, name)
        below.SetInParent()
        _take(rest, getattr(source, name), below)
    elif target.HasField(name):
        _take(rest, getattr(source, name), getattr(target, name))


def _take_field(name: str, source: Message, target: Any) -> None:
    target.ClearField(name)
    for field, value in source.ListFields():
        if field.name != name:
            continue
        if field.is_repeated:
            getattr(target, name).MergeFrom(value)
        elif field.message_type is not None:
            getattr(target, name).CopyFrom(value)
            getattr(target, name).SetInParent()
        else:
            setattr(target, name, value)
