"""Nodes to a message, for any message: guided by its descriptor and the options `shorthand` and `word`."""

import re
from collections.abc import Callable
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.document.scalars import SCALARS
from answerback.document.schema import (
    WRITTEN_AS_ONE,
    choices,
    option,
    ours,
    renamed,
    shorthand,
    suggestion,
    words,
)
from answerback.document.yaml_tree import Binary, Fields, Items, Node, Scalar
from answerback.language import durations, timestamps
from answerback.language.parts import DURATION_PARTS, MAX_PARTS, TOO_MANY
from answerback.language.problems import Enough, Problems, quoted, step_into
from answerback.v1 import options_pb2

# Rule: nothing here names a message, a field or a value of the configuration language. The schema does.
# Rule: what is wrong is left out of the message, and reading goes on: every problem is found in one go.

MAX_DEPTH = 80  # of messages in one another; protobuf itself refuses to write more than 100
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_WORD = re.compile(r"[\w.+-]{1,40}", re.ASCII)


def read(node: Node, message: Message, problems: Problems) -> None:
    """Fill an empty message with what the nodes say; what is wrong goes to `problems`. Raises Enough."""
    _Reader(problems).message(node, message, "", 1)


def _kind(message: Message) -> Descriptor:
    return cast(Descriptor, message.DESCRIPTOR)


def _what(node: Node) -> str:
    if isinstance(node, Binary):
        return "bytes that are not UTF-8"
    if isinstance(node, Scalar):
        return "nothing" if node.is_null else quoted(node.text)
    return "a list" if isinstance(node, Items) else "a mapping"


def _in_brackets(node: Node) -> str:
    """A list of this one item, as a file says it; in general words if it is not short."""
    match node:
        case Scalar(text=text) if not node.is_null and _WORD.fullmatch(text):
            return f"[{text}]"
        case Fields(entries=((Scalar(text=name), Scalar(text=value)),)) if _WORD.fullmatch(name) and _WORD.fullmatch(
            value
        ):
            return f"[{name}: {value}]"
        case _:
            return "[ ] around it, or - before it"


class _Reader:
    """One configuration being read."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._parts = 0

    def message(self, node: Node, message: Message, path: str, depth: int) -> None:
        """Fill an empty message."""
        kind = _kind(message)
        if kind.full_name in _TIMES:
            self._time(node, message, path)
        elif depth > MAX_DEPTH:
            self._problem(path, "nested too deep", node)
        elif isinstance(node, Fields):
            self._fields(node, message, path, depth)
        elif isinstance(node, Scalar) and node.text in words(kind):
            self._part(kind.fields_by_name[node.text], path, node)
            getattr(message, node.text).SetInParent()
        elif isinstance(node, Scalar) and node.is_null:
            self._nothing(node, message, path)
        elif (field := shorthand(kind, binary=isinstance(node, Binary))) is not None:
            self._field(node, message, field, step_into(path, field.name), depth)
        else:
            self._unfit(node, kind, path)

    def _nothing(self, node: Scalar, message: Message, path: str) -> None:
        """A key without a value: fine for a message in which everything has its default."""
        if choices(_kind(message)):
            self._problem(path, "no value", node)
        else:
            message.SetInParent()

    def _unfit(self, node: Node, kind: Descriptor, path: str) -> None:
        known = words(kind)
        if known and isinstance(node, Scalar):
            if today := renamed(kind, node.text):
                self._problem(path, f"`{node.text}` is called `{today}`", node)
            elif here := ours(kind, node.text):
                self._problem(path, f"`{node.text}` is called `{here}` here", node)
            elif node.text in kind.fields_by_name:
                self._problem(path, f"{node.text} needs a value: write {{{node.text}: …}}", node)
            else:
                self._problem(path, f"no such word: {quoted(node.text)}{suggestion(node.text, known)}", node)
        else:
            self._problem(path, f"a mapping with fields is expected, not {_what(node)}", node)

    def _fields(self, node: Fields, message: Message, path: str, depth: int) -> None:
        kind = _kind(message)
        seen: set[str] = set()
        members: dict[str, str] = {}
        for key, value in node.entries:
            field = self._named(key, kind, path)
            if field is None:
                continue
            here = step_into(path, field.name)
            if field.name in seen:
                self._problem(here, "given twice", key)
                continue
            seen.add(field.name)
            oneof = field.containing_oneof
            if oneof is not None:
                first = members.setdefault(oneof.name, field.name)
                if first != field.name:
                    self._problem(here, f"only one of {first} and {field.name} can be given", key)
                    continue
            self._field(value, message, field, here, depth)

    def _named(self, key: Node, kind: Descriptor, path: str) -> FieldDescriptor | None:
        """The field that a key names."""
        if not isinstance(key, Scalar):
            self._problem(path, f"a field's name is expected, not {_what(key)}", key)
            return None
        found: FieldDescriptor | None = kind.fields_by_name.get(key.text)
        if found is None:
            here = step_into(path, key.text) if _NAME.fullmatch(key.text) else path
            if today := renamed(kind, key.text):
                self._problem(here, f"`{key.text}` is called `{today}`", key)
                return None
            if field := ours(kind, key.text):
                self._problem(here, f"`{key.text}` is called `{field}` here", key)
                return None
            said = "no such field" if here != path else f"no such field: {quoted(key.text)}"
            hint = (
                "; YAML 1.2 has no merge keys" if key.text == "<<" else suggestion(key.text, list(kind.fields_by_name))
            )
            self._problem(here, said + hint, key)
        return found

    def _field(self, node: Node, message: Message, field: FieldDescriptor, path: str, depth: int) -> None:
        if field.is_repeated:
            self._list(node, message, field, path, depth)
            return
        self._part(field, path, node)
        if field.message_type is not None:
            child = getattr(message, field.name)
            if not (isinstance(node, Scalar) and node.is_null):
                child.SetInParent()
            self.message(node, child, path, depth + 1)
        else:
            value = self._scalar(node, field, path)
            if value is not None:
                setattr(message, field.name, value)

    def _list(self, node: Node, message: Message, field: FieldDescriptor, path: str, depth: int) -> None:
        if isinstance(node, Scalar) and node.is_null:
            return  # `rules:` with everything below it commented out
        if not isinstance(node, Items):
            self._problem(path, f"a list is expected, not {_what(node)}: write {_in_brackets(node)}", node)
            return
        container = getattr(message, field.name)
        for index, item in enumerate(node.items):
            here = f"{path}[{index}]"
            self._part(field, here, item)
            if field.message_type is not None:
                self.message(item, container.add(), here, depth + 1)
            else:
                value = self._scalar(item, field, here)
                if value is not None:
                    container.append(value)

    def _part(self, field: FieldDescriptor, path: str, node: Node) -> None:
        """Count it, as `parts` counts what comes over the wire. Raises Enough."""
        self._parts += 1 + (DURATION_PARTS if field.message_type in WRITTEN_AS_ONE else 0)
        if self._parts > MAX_PARTS:
            self._problem(path, TOO_MANY, node)
            raise Enough

    def _scalar(self, node: Node, field: FieldDescriptor, path: str) -> Any:
        """The value, or None after a problem."""
        binary = isinstance(node, Binary) and field.name != option(field.containing_type, options_pb2.binary)
        if not isinstance(node, Scalar) or node.is_null or binary:
            expected = "text" if field.type == FieldDescriptor.TYPE_STRING else "a single value"
            self._problem(path, f"{expected} is expected, not {_what(node)}", node)
            return None
        try:
            return SCALARS[field.type](node, field)
        except ValueError as problem:
            self._problem(path, str(problem), node)
            return None

    def _time(self, node: Node, message: Message, path: str) -> None:
        name, parse = _TIMES[_kind(message).full_name]
        if not isinstance(node, Scalar) or node.is_null:
            self._problem(path, f"a {name} is expected, not {_what(node)}", node)
            return
        try:
            message.CopyFrom(parse(node.text))
        except ValueError as problem:
            self._problem(path, f"{problem}, not {quoted(node.text)}", node)

    def _problem(self, path: str, message: str, node: Node) -> None:
        self._problems.add(path, message, node.line, node.column)


_TIMES: dict[str, tuple[str, Callable[[str], Message]]] = {
    Duration.DESCRIPTOR.full_name: ("duration", durations.parse),
    Timestamp.DESCRIPTOR.full_name: ("time", timestamps.parse),
}
