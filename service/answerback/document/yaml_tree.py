"""YAML text to a tree of nodes that know where they stand."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from answerback.language.problems import Problem, quoted

# Rule: whatever the text is, this ends soon, in a tree or in one Problem. PyYAML's own composer recurses in C and dies
#       of deep nesting, so the tree is made here, of the parser's events.
# Rule: a scalar is kept as written. What it means depends on the field that it is for, never on how it looks: `on`
#       and `no` are text, as in YAML 1.2.

MAX_BYTES = 4 << 20  # what gRPC takes in one message, too
MAX_DEPTH = 160  # of collections in one another: conditions as deep as they may be need half of it
MAX_FIELDS = 256  # of one mapping; no message has half as many
MAX_WEIGHT = 16 << 20  # characters, and what a node costs beyond its own; what an alias names counts each time
NODE_WEIGHT = 24

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null", "seq", "map")}
_TEXT_TAGS = {"!", "tag:yaml.org,2002:str"}
# What JSON may have in a string and libyaml refuses or takes for the end of a line: surrogate pairs as two escapes, and
# some characters as they are.
_PAIR = r"\\u([dD][89abAB]..)\\u([dD][c-fC-F]..)"
_RAW = "[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
_TWO_FIELDS = re.compile(r"[ -]*(\w{1,40}): +(\w{1,40}: +(?:(?!: ).){1,60}?)[ \r]*")
_JSON_ONLY = re.compile(f"{_PAIR}|{_RAW}")
_ESCAPE_OR_JSON_ONLY = re.compile(rf"{_PAIR}|\\.|{_RAW}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number, boolean or null. `plain`: written without quotes."""

    text: str
    plain: bool
    line: int | None
    column: int | None
    weight: int
    depth: int = 0

    @property
    def is_null(self) -> bool:
        """Whether it says that there is nothing (YAML 1.2, core schema)."""
        return self.plain and self.text in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class Binary(Scalar):
    """Bytes, as hexadecimal digits; no text of YAML has one, see `values`."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: list["Node"]
    line: int | None
    column: int | None
    weight: int
    depth: int


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping: keys and values in the order written, duplicates and all."""

    entries: list[tuple["Node", "Node"]]
    line: int | None
    column: int | None
    weight: int
    depth: int

    def get(self, name: str) -> "Node | None":
        """The value of the first key with this name."""
        return next((value for key, value in self.entries if isinstance(key, Scalar) and key.text == name), None)


Node = Scalar | Items | Fields


class Unreadable(Exception):
    """The text is no YAML document that could be a configuration; `problem` says why."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem("", message, line, column)


def compose(text: str) -> Node | None:
    """The one document in the text; None if there is none. Raises Unreadable."""
    if _JSON_ONLY.search(text):
        text = _yaml_of_json(text)
    try:
        return _Composer().compose(_events(text))
    except yaml.YAMLError as problem:
        raise _unreadable(problem, text) from None


def _events(text: str) -> Iterator[Any]:
    parser = yaml.CSafeLoader(text)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _unreadable(problem: yaml.YAMLError, text: str) -> Unreadable:
    if isinstance(problem, yaml.reader.ReaderError):
        before = text.encode()[: problem.position].decode(errors="ignore")  # libyaml counts bytes
        why = f"not YAML: {problem.reason} (U+{problem.character:04X}); in double quotes, write an escape"
        return Unreadable(why, before.count("\n") + 1, len(before) - before.rfind("\n"))
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    context = getattr(problem, "context", None)
    said = getattr(problem, "problem", None) or "it cannot be parsed"
    message = f"not YAML: {said}, {context}" if context else f"not YAML: {said}"
    if mark is None:
        return Unreadable(message)
    return Unreadable(message + _brackets(text.split("\n")[mark.line : mark.line + 1]), mark.line + 1, mark.column + 1)


def _brackets(lines: Sequence[str]) -> str:
    """What to write for `do: send: hi`: two fields in a line need brackets around the second."""
    found = _TWO_FIELDS.fullmatch(lines[0]) if lines else None
    if found is None:
        return ""
    outer, inner = found.groups()
    return f": write {outer}: [{inner}] for a list, or {outer}: {{{inner}}} for fields"


def _yaml_of_json(text: str) -> str:
    """JSON so written that libyaml takes it too; anything else as it is."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text

    def rewrite(found: re.Match[str]) -> str:
        high, low = found[1], found[2]
        if high:
            return f"\\U{0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00:08x}"
        return found[0] if found[0].startswith("\\") else f"\\u{ord(found[0]):04x}"

    return _ESCAPE_OR_JSON_ONLY.sub(rewrite, text)


@dataclass(slots=True)
class _Open:
    """A collection that is not complete yet."""

    is_list: bool
    anchor: str | None
    line: int
    column: int
    children: list[Node] = field(default_factory=list)
    weight: int = NODE_WEIGHT
    depth: int = 0

    def add(self, node: Node) -> None:
        self.children.append(node)
        self.weight += node.weight
        self.depth = max(self.depth, node.depth)

    def complete(self) -> Node:
        place = (self.line, self.column, self.weight, self.depth + 1)
        if self.is_list:
            return Items(self.children, *place)
        keys = iter(self.children)
        return Fields(list(zip(keys, keys, strict=True)), *place)


class _Composer:
    """Makes the tree of one document."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0

    def compose(self, events: Iterator[Any]) -> Node | None:
        for event in events:
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            if isinstance(event, yaml.ScalarEvent):
                self._add(self._scalar(event, line, column), event.anchor)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._begin(event, line, column)
            elif isinstance(event, yaml.CollectionEndEvent):
                done = self._open.pop()
                self._add(done.complete(), done.anchor)
            elif isinstance(event, yaml.AliasEvent):
                self._add(self._named(event.anchor, line, column), None)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    raise Unreadable(
                        "a second YAML document begins here; a configuration is one document", line, column
                    )
        return self._root

    def _scalar(self, event: Any, line: int, column: int) -> Scalar:
        self._understood(event.tag, line, column)
        plain = not event.style and event.tag not in _TEXT_TAGS
        return Scalar(event.value, plain, line, column, NODE_WEIGHT + len(event.value))

    def _begin(self, event: Any, line: int, column: int) -> None:
        self._understood(event.tag, line, column)
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable("nested too deep", line, column)
        self._open.append(_Open(isinstance(event, yaml.SequenceStartEvent), event.anchor, line, column))

    def _named(self, anchor: str | None, line: int, column: int) -> Node:
        if anchor is not None and anchor in self._anchors:
            return self._anchors[anchor]
        within = any(parent.anchor == anchor for parent in self._open)
        why = "contains itself" if within else "is not defined above"
        raise Unreadable(f"the anchor {quoted(str(anchor))} {why}", line, column)

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        parent.add(node)
        if parent.weight > MAX_WEIGHT:
            raise Unreadable("too many values, counting each use of an anchor", node.line, node.column)
        if len(self._open) + node.depth > MAX_DEPTH:
            raise Unreadable("nested too deep", node.line, node.column)
        if not parent.is_list and len(parent.children) > 2 * MAX_FIELDS:
            raise Unreadable("too many fields in one mapping", node.line, node.column)

    @staticmethod
    def _understood(tag: str | None, line: int, column: int) -> None:
        if tag is not None and tag not in _TAGS | _TEXT_TAGS:
            raise Unreadable(f"the tag {quoted(str(tag))} is not supported", line, column)
