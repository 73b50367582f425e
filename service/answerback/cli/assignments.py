"""`FIELD=VALUE` arguments: a listener with these fields, and their paths."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from answerback.language.problems import InvalidConfig

if TYPE_CHECKING:
    from answerback.v1.config_pb2 import Listener


def listener_of(name: str, assignments: Sequence[str]) -> "tuple[Listener, list[str]]":
    """The listener, and the paths of the assigned fields. Raises InvalidConfig, or UsageError for a bad form."""
    from answerback.document.document import load

    fields: dict[str, Any] = {}
    paths = []
    for assignment in assignments:
        path, assigned, value = assignment.partition("=")
        if not assigned or not all(path.split(".")):
            raise click.UsageError(f"{assignment!r} is not FIELD=VALUE, such as accept=STALL or limits.idle_timeout=5s")
        if len(value.splitlines()) > 1:
            raise click.UsageError(f"{path}: the value has more than one line; use `answerback listeners update`")
        if path == "name":
            raise click.UsageError("the name of a listener cannot be changed: create another, and delete this one")
        paths.append(path)
        _put(fields, path.split("."), value)
    document = load("\n".join(["listeners:", f"- name: {json.dumps(name)}", *_lines(fields, "  ")]))
    if document.problems:
        prefix = "listeners[0]."
        raise InvalidConfig([replace(one, path=one.path.removeprefix(prefix), line=None) for one in document.problems])
    return document.config.listeners[0], paths


def _put(fields: dict[str, Any], path: Sequence[str], value: str) -> None:
    *parents, last = path
    for parent in parents:
        fields = fields.setdefault(parent, {})
        if not isinstance(fields, dict):
            raise click.UsageError(f"{'.'.join(path)}: {parent} is set as a whole already")
    if last in fields:
        raise click.UsageError(f"{'.'.join(path)} is set twice")
    fields[last] = value


def _lines(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _lines(value, f"{indent}  ")
        elif value:
            yield f"{indent}{name}: {value}"
