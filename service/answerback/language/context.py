"""The context of a kind's methods: `Checking`, `Compiling` or `Linting`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from google.protobuf.duration_pb2 import Duration

from answerback.core import patterns
from answerback.core.expressions import Template
from answerback.core.pattern_size import TooLarge, compile_cost
from answerback.core.plan import Limits
from answerback.language import bounds, payloads
from answerback.language.captures import Captures
from answerback.language.contents import Files
from answerback.language.expressions import (
    ExpressionError,
    FramingField,
    Scope,
    Type,
    Value,
    compile_expression,
    compile_template,
)
from answerback.language.problems import Problems, step_into
from answerback.v1 import config_pb2 as v1

# Rule: bytes that cannot be known are None, and what asked for them says nothing more about them.


@dataclass(frozen=True, slots=True)
class Checking:
    """The context in which a part of a configuration is checked: it has the scope, and collects the problems."""

    problems: Problems
    files: Files
    """The content of what `file` fields name; what is missing was reported when it was read."""
    scope: Scope = field(default_factory=Scope)
    """The names that the expressions of the rule may use."""
    in_step: bool = False
    """Whether it is a step, which runs when there is a request."""
    depth: int = 1
    """The depth of a condition within others."""

    def add(self, path: str, message: str) -> None:
        """Report a problem. Raises Enough."""
        self.problems.add(path, message)

    def deeper(self) -> "Checking":
        """The context of the conditions in a condition."""
        return replace(self, depth=self.depth + 1)

    def knowing(self, captures: Captures) -> "Checking":
        """The context where patterns have these captures."""
        return replace(self, scope=replace(self.scope, captures=captures))

    def of_frame(self, fields: Mapping[str, FramingField]) -> "Checking":
        """The context of a condition on a received frame; `fields`: those that its framing provides."""
        return replace(self, scope=replace(self.scope, event=None, fields=fields))

    def within_step(self) -> "Checking":
        """The context of the parts of a step."""
        return replace(self, in_step=True)

    def between(self, given: int, least: int, most: int, path: str) -> None:
        """A number within its range."""
        bounds.between(given, least, most, path, self.problems)

    def duration(self, given: Duration, path: str, most: int = bounds.MAX_DELAY, *, negative: bool = False) -> None:
        """A duration, 0 to `most` seconds, or as far below 0."""
        bounds.duration(given, most, path, self.problems, negative=negative)

    def pattern(self, text: str, path: str) -> bool:
        """Whether a pattern is small enough, and RE2 takes it; if not, the problem is reported. Raises Enough."""
        try:
            self.problems.pattern(path, compile_cost(text))
        except TooLarge as problem:
            self.add(path, str(problem))
            return False
        try:
            patterns.compile(text)
        except patterns.PatternError as problem:
            self.add(path, f"invalid RE2: {problem}")
            return False
        return True

    def content(self, payload: payloads.Source, path: str) -> bytes | memoryview | None:
        """The bytes, if nothing is wrong with them and they are the same each time. Large files are not copied."""
        kind = payload.WhichOneof("bytes")
        if isinstance(payload, v1.Payload) and kind == "template":
            template = self.template(payload.template, step_into(path, kind))
            return template.constant if template else None
        try:
            return payloads.shared(payload, self.files)
        except payloads.MissingFile:
            return None
        except ValueError as problem:
            self.add(step_into(path, kind) if kind else path, str(problem))
            return None

    def not_empty(self, payload: payloads.Source, path: str) -> bytes | memoryview | None:
        """The same of bytes of which there must be some."""
        found = self.content(payload, path)
        if found == b"":
            self.add(path, "at least one byte is needed")
            return None
        return found

    def template(self, text: str, path: str) -> Template | None:
        """The template, if it is one."""
        try:
            return compile_template(text, self._counting(path))
        except ExpressionError as problem:
            self.add(path, f"{problem.message} (at character {problem.position + 1})")
            return None

    def expression(self, text: str, wanted: Type, path: str) -> Value | None:
        """The value of an expression, if it is one of this type."""
        try:
            return compile_expression(text, wanted, self._counting(path))
        except ExpressionError as problem:
            self.add(path, f"{problem.message} (at character {problem.position + 1})")
            return None

    def _counting(self, path: str) -> Scope:
        """The scope, in which patterns count."""
        return replace(self.scope, accept_pattern=lambda text: self.problems.pattern(path, compile_cost(text)))


@dataclass(frozen=True, slots=True)
class Linting:
    """The context in which a listener is examined for warnings."""

    problems: Problems
    path: str
    """Of the listener."""
    limits: Limits
    """Its limits, defaults filled in."""

    def add(self, path: str, message: str) -> None:
        """Report what is probably not meant. Raises Enough."""
        self.problems.add(path, message)


@dataclass(frozen=True, slots=True)
class Compiling:
    """The context in which a checked part of a configuration is compiled."""

    files: Files
    """The content of what `file` fields name."""
    scope: Scope = field(default_factory=Scope)
    """The names that the expressions of the rule may use."""
    closes: bool = False
    """Whether a later step of the script closes the connection."""
    is_last: bool = False
    """Whether it is the last step of the script."""
    unexpected_cell: int = 0
    """The cell that counts the frames that the rule's scripts did not expect; 0 if they expect none."""

    def knowing(self, captures: Captures) -> "Compiling":
        """The context where patterns have these captures."""
        return replace(self, scope=replace(self.scope, captures=captures))

    def of_frame(self, fields: Mapping[str, FramingField]) -> "Compiling":
        """The context of a condition on a received frame; `fields`: those that its framing provides."""
        return replace(self, scope=replace(self.scope, event=None, fields=fields))

    def content(self, payload: v1.Payload) -> bytes | Template:
        """Bytes, or a template if they differ each time. Raises ValueError."""
        if payload.WhichOneof("bytes") != "template":
            return self.literal(payload)
        template = self.template(payload.template)
        return template if template.constant is None else template.constant

    def shared(self, payload: v1.Payload) -> bytes | memoryview | Template:
        """The content of a payload that is sent unchanged: a large file is not copied. Raises ValueError."""
        if payload.WhichOneof("bytes") != "template":
            return payloads.shared(payload, self.files)
        return self.content(payload)

    def literal(self, payload: payloads.Source) -> bytes:
        """Bytes that are the same each time. Raises ValueError."""
        return payloads.decode(payload, self.files)

    def template(self, text: str) -> Template:
        """The template. Raises ExpressionError."""
        return compile_template(text, self.scope)

    def expression(self, text: str, wanted: Type) -> Value:
        """The value of an expression of this type. Raises ExpressionError."""
        return compile_expression(text, wanted, self.scope)
