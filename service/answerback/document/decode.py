"""Nodes to a message, for any message: guided by its descriptor and the options `shorthand` and `word`."""

import difflib
import re
from collections.abc import Callable
from math import inf
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, OneofDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

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
_INTEGER = re.compile(r"(-?)(?:(0|[1-9][0-9]{0,24})|0x([0-9a-fA-F]{1,20})|0o([0-7]{1,25}))")
_DECIMAL = re.compile(r"-?[0-9]{1,25}(?:\.[0-9]{1,25})?(?:[eE][+-]?[0-9]{1,4})?")
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOT_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_WRITTEN_AS_ONE: tuple[Descriptor, ...] = (Duration.DESCRIPTOR, Timestamp.DESCRIPTOR)
_RANGES = {
    FieldDescriptor.TYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
}


def choices(descriptor: Descriptor) -> list[OneofDescriptor]:
    """The oneofs that the schema declares: `optional` makes one of its own around a field."""
    return [oneof for oneof in descriptor.oneofs if oneof.name != f"_{oneof.fields[0].name}"]


def shorthand(descriptor: Descriptor, *, binary: bool = False) -> FieldDescriptor | None:
    """The field that a bare scalar or list fills; `binary`: that bytes fill."""
    options = descriptor.GetOptions().Extensions
    name = (options[options_pb2.binary] if binary else "") or options[options_pb2.shorthand]
    return descriptor.fields_by_name[name] if name else None


def words(descriptor: Descriptor) -> list[str]:
    """The members that a bare word names: those that may be empty."""
    if not descriptor.GetOptions().Extensions[options_pb2.word]:
        return []
    return [field.name for oneof in choices(descriptor) for field in oneof.fields if _may_be_empty(field)]


def short_words(enum: EnumDescriptor) -> dict[str, int]:
    """What a file may say for the values of an enum, in capitals: without the prefix that they share."""
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.name.removeprefix(prefix): value.number for value in enum.values if value.number}


def renamed(kind: Descriptor, word: str) -> str:
    """The name of a field that was called `word` before; empty if none was."""
    return next((field.name for field in kind.fields if _option(field, options_pb2.formerly) == word), "")


def ours(kind: Descriptor, word: str) -> str:
    """The name of the field that other tools call `word`; empty if there is none."""
    return next((field.name for field in kind.fields if word in _option(field, options_pb2.elsewhere)), "")


def renamed_value(enum: EnumDescriptor, word: str) -> str:
    """The word of an enum's value that was called `word` before; empty if none was."""
    number = next((each.number for each in enum.values if _option(each, options_pb2.formerly_value) == word), None)
    return next((today for today, value in short_words(enum).items() if value == number), "")


def _option(described: Any, option: Any) -> Any:
    return described.GetOptions().Extensions[option]


def read(node: Node, message: Message, problems: Problems) -> None:
    """Fill an empty message with what the nodes say; what is wrong goes to `problems`. Raises Enough."""
    _Reader(problems).message(node, message, "", 1)


def _kind(message: Message) -> Descriptor:
    return cast(Descriptor, message.DESCRIPTOR)


def _may_be_empty(field: FieldDescriptor) -> bool:
    kind = field.message_type
    if kind is None or kind in _WRITTEN_AS_ONE or choices(kind) or shorthand(kind) is not None:
        return False
    return not any(needed.GetOptions().Extensions[options_pb2.required] for needed in kind.fields)


def _suggestion(word: str, known: list[str]) -> str:
    """`; did you mean …?`, or what there is."""
    close = difflib.get_close_matches(word.lower()[:64], [name.lower() for name in known], n=1)
    if close:
        return f"; did you mean {next(name for name in known if name.lower() == close[0])}?"
    return f"; known: {', '.join(known)}"


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
                self._problem(path, f"no such word: {quoted(node.text)}{_suggestion(node.text, known)}", node)
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
                "; YAML 1.2 has no merge keys" if key.text == "<<" else _suggestion(key.text, list(kind.fields_by_name))
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
        self._parts += 1 + (DURATION_PARTS if field.message_type in _WRITTEN_AS_ONE else 0)
        if self._parts > MAX_PARTS:
            self._problem(path, TOO_MANY, node)
            raise Enough

    def _scalar(self, node: Node, field: FieldDescriptor, path: str) -> Any:
        """The value, or None after a problem."""
        binary = isinstance(node, Binary) and field.name != _option(field.containing_type, options_pb2.binary)
        if not isinstance(node, Scalar) or node.is_null or binary:
            expected = "text" if field.type == FieldDescriptor.TYPE_STRING else "a single value"
            self._problem(path, f"{expected} is expected, not {_what(node)}", node)
            return None
        try:
            return _SCALARS[field.type](node, field)
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


def _text(node: Scalar, _field: FieldDescriptor) -> str:
    return node.text


def _boolean(node: Scalar, _field: FieldDescriptor) -> bool:
    if node.plain and node.text in _BOOLEANS:
        return _BOOLEANS[node.text]
    meant = _NOT_BOOLEANS.get(node.text.lower(), node.text.lower())
    hint = f"; write {meant}" if meant in _BOOLEANS else ""
    raise ValueError(f"true or false is expected, not {quoted(node.text)}{hint}")


def _integer(node: Scalar, field: FieldDescriptor) -> int:
    found = _INTEGER.fullmatch(node.text) if node.plain else None
    if not found:
        raise ValueError(f"a whole number is expected, not {quoted(node.text)}{'' if node.plain else ' in quotes'}")
    sign, decimal, hexadecimal, octal = found.groups()
    value = int(decimal) if decimal else int(hexadecimal, 16) if hexadecimal else int(octal, 8)
    value = -value if sign else value
    least, most = _RANGES[field.type]
    if not least <= value <= most:
        raise ValueError(f"must be {least} to {most}, not {value}")
    return value


def _number(node: Scalar, _field: FieldDescriptor) -> float:
    if not node.plain or not _DECIMAL.fullmatch(node.text):
        raise ValueError(f"a number is expected, not {quoted(node.text)}{'' if node.plain else ' in quotes'}")
    value = float(node.text)
    if value in {inf, -inf}:
        raise ValueError(f"{quoted(node.text)} is too large")
    return value


def _enum(node: Scalar, field: FieldDescriptor) -> int:
    known = short_words(field.enum_type)
    word = node.text.upper()
    full = field.enum_type.values_by_name.get(word)
    if word in known:
        return known[word]
    if full is not None and full.number:
        return int(full.number)
    if today := renamed_value(field.enum_type, word):
        raise ValueError(f"`{node.text}` is called `{today}`")
    raise ValueError(f"no such word: {quoted(node.text)}{_suggestion(node.text, list(known))}")


_TIMES: dict[str, tuple[str, Callable[[str], Message]]] = {
    Duration.DESCRIPTOR.full_name: ("duration", durations.parse),
    Timestamp.DESCRIPTOR.full_name: ("time", timestamps.parse),
}
_SCALARS: dict[int, Callable[[Scalar, FieldDescriptor], Any]] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BOOL: _boolean,
    FieldDescriptor.TYPE_ENUM: _enum,
    FieldDescriptor.TYPE_DOUBLE: _number,
    **dict.fromkeys(_RANGES, _integer),
}
