"""The kinds of the language: each is one member of a oneof (`Step.kind`, `Match.kind`, …), described in one file.

A family is such a oneof with its kinds. Beside its runtime in `core`, a kind is all there is to know: what may be wrong
with it, how it is compiled, what is probably not meant, the words that `explain` uses, and an example.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, Generic, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from answerback.language.context import Checking
from answerback.language.fields import Fields, Where

# Rule: a kind is named where it is registered, by its field in the schema, and nowhere else.


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a configuration that stands for bytes, and how to write a single byte there (`{}` is its hex digits)."""

    path: str
    text: str
    better: str


class Kind:
    """One member of a oneof."""

    name: str = ""
    """Of its field; set where it is registered."""
    example: ClassVar[str] = ""
    """Fields of a listener or of a rule, as its family says, which use it."""
    words: ClassVar[str] = ""
    """The valid values, if neither its type nor its fields say them."""
    fields: ClassVar[Fields | None] = None
    """The fields of its message, if it has some."""

    on_unix: ClassVar[str] = ""
    """The difference on a listener with a Unix socket, for a warning; empty if there is none."""

    def check(self, given: Any, path: str, checking: Checking) -> None:
        """Report what is wrong with it. `given` is the value of its field, `path` the field's."""
        if self.fields is not None:
            self.fields.check(given, path, checking)

    def texts(self, given: Any, path: str) -> Iterable[Text]:  # noqa: ARG002 - most have none of their own
        """Text of its own that stands for bytes; not that of payloads and literals in it."""
        return ()


K = TypeVar("K", bound=Kind)
C = TypeVar("C", bound=type)


class Family(Generic[K]):
    """The kinds of one oneof, by the names of their fields."""

    def __init__(self, message: type[Message], noun: str, where: Where, oneof: str = "kind") -> None:
        self.message = message
        self.noun = noun
        self.where = where
        self._oneof = oneof
        self._kinds: dict[str, K] = {}

    @property
    def fields(self) -> list[FieldDescriptor]:
        """The members that the schema declares."""
        return list(self.message.DESCRIPTOR.oneofs_by_name[self._oneof].fields)

    def kind(self, name: str) -> Callable[[C], C]:
        """Register the decorated class as the kind of this field. Raises ValueError if there is none, or it has one."""
        if name not in self.message.DESCRIPTOR.fields_by_name:
            raise ValueError(f"{self.message.DESCRIPTOR.full_name} has no field {name}")
        if name in self._kinds:
            raise ValueError(f"{self.message.DESCRIPTOR.full_name}.{name} is described already")

        def register(kind: C) -> C:
            described: K = kind()
            described.name = name
            self._kinds[name] = described
            return kind

        return register

    def load(self, package: str, path: Iterable[str]) -> None:
        """Import every module of a package, so that the kinds that are described there are registered."""
        for module in iter_modules(path):
            import_module(f"{package}.{module.name}")

    def __iter__(self) -> Iterator[K]:
        """The kinds, in the order of the schema."""
        return (self._kinds[field.name] for field in self.fields if field.name in self._kinds)

    def __getitem__(self, name: str) -> K:
        """The kind of this name. Raises KeyError."""
        return self._kinds[name]

    def of(self, message: Message) -> K | None:
        """The kind that a message chooses; None if it chooses none."""
        name = message.WhichOneof(self._oneof)
        return None if name is None else self._kinds[name]

    def chosen(self, message: Message) -> tuple[K, Any]:
        """The kind that a message chooses, and the value of its field. Raises ValueError if it chooses none."""
        kind = self.of(message)
        if kind is None:
            raise ValueError(f"a {self.noun} says nothing")
        return kind, getattr(message, kind.name)
