"""`FIELD=VALUE` arguments: a listener or a fault with these fields."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from answerback.language.problems import InvalidConfig

if TYPE_CHECKING:
    from answerback.v1.config_pb2 import Config, Fault, Listener


def listener_of(name: str, assignments: Sequence[str]) -> "tuple[Listener, list[str]]":
    """The listener, and the paths of the assigned fields. Raises InvalidConfig, or UsageError for a bad form."""
    given = [_split(each, "accept=STALL or limits.idle_timeout=5s") for each in assignments]
    for path, _ in given:
        if path == "name":
            raise click.UsageError("the name of a listener cannot be changed: create another, and delete this one")
    lines = [f"- name: {json.dumps(name)}", *_lines(_tree(given), "  ")]
    return _loaded(["listeners:", *lines], "listeners[0].").listeners[0], [path for path, _ in given]


def fault_of(assignments: Sequence[str]) -> "Fault":
    """The fault with these fields; a field without `=VALUE` is a kind whose fields have their defaults, such as `drop`.

    Raises InvalidConfig, or UsageError for a bad form.
    """
    given = [_split(each if "=" in each else f"{each}={{}}", "latency=200ms or drop") for each in assignments]
    fields = _tree(given) or {"name": '""'}
    lines = ["listeners:", "- faults:", "  -", *_lines(fields, "    ")]
    return _loaded(lines, "listeners[0].faults[0].").listeners[0].faults[0]


def _loaded(lines: Sequence[str], prefix: str) -> "Config":
    """The configuration. Raises InvalidConfig with paths without `prefix`."""
    from answerback.document.document import load

    document = load("\n".join(lines))
    if document.problems:
        raise InvalidConfig([replace(one, path=one.path.removeprefix(prefix), line=None) for one in document.problems])
    return document.config


def _split(assignment: str, example: str) -> tuple[str, str]:
    """The field and the value of `FIELD=VALUE`. Raises UsageError."""
    path, assigned, value = assignment.partition("=")
    if not assigned or not all(path.split(".")):
        raise click.UsageError(f"{assignment!r} is not FIELD=VALUE, such as {example}")
    if len(value.splitlines()) > 1:
        raise click.UsageError(f"{path}: the value has more than one line; write it in a file for `listeners update`")
    return path, value


def _tree(given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for path, value in given:
        _put(fields, path.split("."), value)
    return fields


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
