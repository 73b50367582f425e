"""The note that Toxiproxy's API keeps at a listener that it made, and what follows from it."""

# Rule: a reload of the file keeps what that API made: the file cannot know of it.

import json
from collections.abc import Sequence
from typing import Any, Final

from answerback.language.editing import copied
from answerback.language.problems import Problems, quoted
from answerback.v1 import config_pb2 as v1

MAX_NOTE: Final = 64 << 10  # bytes: 32 toxics with long names; every revision has a copy


def note_of(listener: v1.Listener) -> dict[str, Any] | None:
    """The note, an object with a `name`; None without one, or if it cannot be read."""
    try:
        found = json.loads(listener.toxiproxy) if listener.toxiproxy else None
    except (ValueError, RecursionError):
        return None
    named = isinstance(found, dict) and isinstance(found.get("name"), str) and found["name"]
    return found if named else None


def check_notes(listeners: Sequence[v1.Listener], problems: Problems) -> None:
    """Report notes that cannot be read, and names that occur twice."""
    first: dict[str, int] = {}
    for index, listener in enumerate(listeners):
        if not listener.toxiproxy:
            continue
        path, note = f"listeners[{index}].toxiproxy", note_of(listener)
        if len(listener.toxiproxy.encode()) > MAX_NOTE:
            problems.add(path, f"must be at most {MAX_NOTE} bytes: use shorter names")
        elif note is None:
            problems.add(path, "must be a JSON object with a name, as Toxiproxy's API writes it")
        elif first.setdefault(note["name"], index) != index:
            problems.add(path, f"{quoted(note['name'])} is already the name of listeners[{first[note['name']]}]")


def without_proxies(config: v1.Config) -> v1.Config:
    """The configuration without the listeners that Toxiproxy's API made; the given one if there are none."""
    return _with_listeners(config, [each for each in config.listeners if not each.toxiproxy])


def keeping_proxies(config: v1.Config, former: v1.Config) -> v1.Config:
    """The configuration with the listeners that Toxiproxy's API made of a former one; its own ones take precedence."""
    names = {each.name for each in config.listeners}
    kept = [each for each in former.listeners if each.toxiproxy and each.name not in names]
    return _with_listeners(config, [*config.listeners, *kept])


def _with_listeners(config: v1.Config, listeners: Sequence[v1.Listener]) -> v1.Config:
    if len(listeners) == len(config.listeners):
        return config
    own = v1.Config(listeners=listeners)
    changed = copied(config)
    del changed.listeners[:]
    changed.listeners.extend(own.listeners)
    return changed
