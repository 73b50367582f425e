"""A configuration file: its text to a message, and where everything in it stands."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from answerback.document import decode, yaml_tree
from answerback.document.yaml_tree import Fields, Items, Node
from answerback.language.problems import Enough, Problem, Problems
from answerback.v1 import config_pb2 as v1

# Rule: `load` never raises for what is in a text, whatever it is, and takes bounded time and memory.

_STEP = re.compile(r"([A-Za-z_]\w*)|\[([0-9]+)\]")
_LAST_NAME = re.compile(r"\.?\w+$")
_EMPTY = "the configuration is empty; a configuration without listeners is `listeners: []`"


@dataclass(frozen=True)
class Document:
    """The configuration in a text."""

    config: v1.Config
    """The fields that could be read."""
    problems: tuple[Problem, ...] = ()
    """The problems; empty for a valid text."""
    root: Node | None = None

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """Other problems of this configuration, with their lines and columns.

        Without those that only follow from what could not be read: `delay: 5x` leaves a delay that says nothing.
        """
        known = {problem.path for problem in self.problems}
        known |= {_LAST_NAME.sub("", path) for path in known}
        return [self._located(problem) for problem in problems if not problem.path or problem.path not in known]

    def _located(self, problem: Problem) -> Problem:
        node = _find(self.root, problem.path) if problem.path else None
        return replace(problem, line=node.line, column=node.column) if node else problem


def load(text: str | bytes) -> Document:
    """The configuration in a YAML (or JSON) text, and what is wrong with it as far as its form goes.

    What else may be wrong with it is for `language.check`.
    """
    try:
        raw = text.encode() if isinstance(text, str) else text
        decoded = raw.decode("utf-8-sig")
    except (UnicodeEncodeError, UnicodeDecodeError) as problem:
        return _refused(f"not UTF-8: {problem.reason} (byte {problem.start})")
    if len(raw) > yaml_tree.MAX_BYTES:
        return _refused(f"longer than {yaml_tree.MAX_BYTES} bytes; move long payloads to files")
    try:
        root = yaml_tree.compose(decoded)
    except yaml_tree.Unreadable as unreadable:
        return Document(v1.Config(), (unreadable.problem,))
    if root is None or (isinstance(root, yaml_tree.Scalar) and root.is_null):
        return _refused(_EMPTY)
    config, problems = v1.Config(), Problems()
    with suppress(Enough):
        decode.read(root, config, problems)
    return Document(config, tuple(problems.found()), root)


def _refused(message: str) -> Document:
    return Document(v1.Config(), (Problem("", message),))


def _find(root: Node | None, path: str) -> Node | None:
    """The node at a path, or the nearest node above it."""
    kind: Any = v1.Config.DESCRIPTOR
    node = root
    for name, index in _STEP.findall(path):
        inner: Node | None = node
        if index:
            inner = node.items[int(index)] if isinstance(node, Items) and int(index) < len(node.items) else None
        elif kind is not None and name in kind.fields_by_name:
            kind = kind.fields_by_name[name].message_type
            inner = node.get(name) if isinstance(node, Fields) else node  # shorthand: the field has the whole node
        if inner is None:
            break
        node = inner
    return node
