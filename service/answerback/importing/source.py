"""Files of other tools: JSON to values that know their places."""

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from answerback.document import yaml_tree
from answerback.document.yaml_tree import Fields, Items, Node, Scalar
from answerback.language.problems import Problem, quoted, step_into

# Rule: whatever a file has, reading it ends in a value, in Unfit or in Unreadable; the bounds of `yaml_tree` hold.
# Rule: `json` judges the text, because it says what is wrong with JSON; `yaml_tree` reads it, because JSON is YAML and
#       its nodes know where they stand.

if TYPE_CHECKING:
    from collections.abc import Iterator

EJS = "<%"
RENDER = (
    f"`{EJS}` begins a tag of EJS, which mountebank renders: start mountebank with the file, and import what "
    "`GET /imposters?replayable=true` answers"
)

MOST_EXACT = 1 << 53  # JavaScript's numbers are exact up to here

_NAME = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}


class Unreadable(Exception):
    """The file as a whole cannot be imported; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Unfit(Exception):
    """A part of the file is not what its tool would read, or has no equivalent; `problem` says where, and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem

    def consequence(self, text: str) -> Problem:
        """What is wrong, and what follows from it."""
        return replace(self.problem, message=f"{text}: {self.problem.message}")


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the file, and its path, such as `imposters[0].stubs[2]`."""

    node: Node
    path: str

    def problem(self, message: str) -> Problem:
        """What there is to say of this value, with its place."""
        return Problem(self.path, message, self.node.line, self.node.column)

    def unfit(self, message: str) -> Unfit:
        """The exception that says it."""
        return Unfit(self.problem(message))

    @property
    def is_null(self) -> bool:
        """Whether it is `null`."""
        return isinstance(self.node, Scalar) and self.node.is_null

    @property
    def is_mapping(self) -> bool:
        """Whether it is an object."""
        return isinstance(self.node, Fields)

    @property
    def is_list(self) -> bool:
        """Whether it is an array."""
        return isinstance(self.node, Items)

    @property
    def is_text(self) -> bool:
        """Whether it is a string."""
        return isinstance(self.node, Scalar) and not self.node.plain

    def fields(self) -> "dict[str, Value]":
        """The fields of an object, in order; the last one of a name counts, as in JSON. Raises Unfit."""
        if not isinstance(self.node, Fields):
            raise self.unfit(f"an object is expected, not {self._what()}")
        found: dict[str, Value] = {}
        for key, value in self.node.entries:
            if not isinstance(key, Scalar):
                raise self.unfit("a field's name is expected as text")
            path = step_into(self.path, key.text) if _NAME.fullmatch(key.text) else f"{self.path}[{quoted(key.text)}]"
            found[key.text] = Value(value, path)
        return found

    def items(self) -> "list[Value]":
        """The items of an array. Raises Unfit."""
        if not isinstance(self.node, Items):
            raise self.unfit(f"an array is expected, not {self._what()}")
        return [Value(item, f"{self.path}[{index}]") for index, item in enumerate(self.node.items)]

    def text(self) -> str:
        """A string. Raises Unfit."""
        if not isinstance(self.node, Scalar) or self.node.plain:
            raise self.unfit(f"text is expected, not {self._what()}")
        return self.node.text

    def integer(self) -> int:
        """A whole number. Raises Unfit."""
        return int(self._digits(_INTEGER, "a whole number"))

    def number(self) -> float:
        """A number. Raises Unfit."""
        return float(self._digits(_NUMBER, "a number"))

    def _digits(self, pattern: re.Pattern[str], expected: str) -> str:
        if not isinstance(self.node, Scalar) or not self.node.plain or not pattern.fullmatch(self.node.text):
            raise self.unfit(f"{expected} is expected, not {self._what()}")
        return self.node.text

    def boolean(self) -> bool:
        """`true` or `false`. Raises Unfit."""
        if not isinstance(self.node, Scalar) or not self.node.plain or self.node.text not in _BOOLEANS:
            raise self.unfit(f"true or false is expected, not {self._what()}")
        return _BOOLEANS[self.node.text]

    def plain(self) -> Any:
        """The value as Python has it, at any depth; a whole number of JavaScript is an int. Raises Unfit."""
        if self.is_mapping:
            return {name: each.plain() for name, each in self.fields().items()}
        if self.is_list:
            return [each.plain() for each in self.items()]
        if self.is_text:
            return self.text()
        if self.is_null:
            return None
        try:
            return self.boolean()
        except Unfit:
            number = self.number()
        return int(number) if number.is_integer() and abs(number) < MOST_EXACT else number

    def scalars(self) -> "Iterator[tuple[Value, str]]":
        """Every string in it, at any depth, with its place."""
        waiting = [self]
        while waiting:
            value = waiting.pop()
            if value.is_mapping:
                waiting += reversed(value.fields().values())
            elif value.is_list:
                waiting += reversed(value.items())
            elif value.is_text:
                yield value, value.text()

    def _what(self) -> str:
        if isinstance(self.node, Scalar):
            return "null" if self.is_null else quoted(self.node.text)
        return "an array" if self.is_list else "an object"


def read(data: bytes) -> Value:
    """The value in a file. Raises Unreadable."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Unreadable(Problem("", f"not UTF-8: {problem.reason} (byte {problem.start})")) from None
    if len(data) > yaml_tree.MAX_BYTES:
        raise Unreadable(Problem("", f"longer than {yaml_tree.MAX_BYTES} bytes; import a part of it at a time"))
    if not text.strip():
        raise Unreadable(Problem("", "the file is empty"))
    _judge(text)
    try:
        root = yaml_tree.compose(text)
    except yaml_tree.Unreadable as unreadable:
        raise Unreadable(unreadable.problem) from None
    assert root is not None  # JSON is a value
    return Value(root, "")


def _judge(text: str) -> None:
    """Raise Unreadable if the text is not JSON."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        why = error.msg[:1].lower() + error.msg[1:]
        raise Unreadable(Problem("", f"not JSON: {why}{_template(text)}", error.lineno, error.colno)) from None
    except ValueError as error:
        raise Unreadable(Problem("", f"not JSON: {error}")) from None
    except RecursionError:
        raise Unreadable(Problem("", "nested too deep")) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _template(text: str) -> str:
    """What to do with a template of EJS, which mountebank renders before it reads JSON."""
    return f"; {RENDER}" if EJS in text else ""
