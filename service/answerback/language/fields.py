"""The fields of the messages of a configuration: the default, the bounds and an example of each, said once.

Checks use the bounds, and the reference in docs/reference/configuration.md is made of them and of the comments in the
schema. Tests take every example.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.language import bounds, durations, timestamps
from answerback.language.context import Checking
from answerback.language.problems import step_into

# Rule: what the schema says is not said again here: which fields are required, members of a choice, or `false`.


class Where(Enum):
    """What examples are fields of."""

    FILE = "whole files"
    LISTENER = "fields of a listener"
    RULE = "fields of a rule"


@dataclass(frozen=True, slots=True)
class Field:
    """One field."""

    example: str
    default: str = ""
    """What an absent field means, in words; empty where the schema says it."""
    words: str = ""
    """What it may be, as far as no number says it."""

    @property
    def bounds(self) -> str:
        """What it may be, in words."""
        return self.words

    def check(self, given: Any, path: str, checking: Checking) -> None:
        """Report a value that is out of bounds."""


@dataclass(frozen=True, slots=True)
class Number(Field):
    """A whole number."""

    least: int = 0
    most: int = (1 << 32) - 1
    unit: str = ""

    @property
    def bounds(self) -> str:
        """Its range and unit, and what else there is to say."""
        return "; ".join(filter(None, (f"{self.least} to {self.most} {self.unit}".strip(), self.words)))

    def check(self, given: int, path: str, checking: Checking) -> None:
        """Report a number out of its range."""
        checking.between(given, self.least, self.most, path)


@dataclass(frozen=True, slots=True)
class Time(Field):
    """A duration."""

    most: int = bounds.MAX_DELAY
    """In seconds."""
    zero: str = ""
    """Why it cannot be 0; empty if it can."""
    negative: bool = False
    """Whether it may be as far below 0 as above."""

    @property
    def bounds(self) -> str:
        """Its range, and what else there is to say."""
        most = durations.written(Duration(seconds=self.most))
        least = "more than 0," if self.zero else f"-{most}" if self.negative else "0"
        return "; ".join(filter(None, (f"{least} to {most}", self.words)))

    def check(self, given: Duration, path: str, checking: Checking) -> None:
        """Report a duration out of its range."""
        checking.duration(given, path, self.most, negative=self.negative)
        if self.zero and not durations.nanoseconds(given):
            checking.add(path, self.zero)


@dataclass(frozen=True, slots=True)
class Moment(Field):
    """A point in time."""

    def check(self, given: Timestamp, path: str, checking: Checking) -> None:
        """Report what is no time, which only the API can give."""
        if not timestamps.valid(given):
            checking.add(path, "is not a time of the years 1 to 9999")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one message, by name; members of a choice between kinds are described by their kinds."""

    message: type[Message]
    where: Where
    fields: Mapping[str, Field]

    def check(self, given: Message, path: str, checking: Checking) -> None:
        """Report what is out of bounds, as far as it is given."""
        for field, value in given.ListFields():
            if field.name in self.fields and not field.is_repeated:
                self.fields[field.name].check(value, step_into(path, field.name), checking)


DESCRIBED: Final[dict[str, Fields]] = {}
"""Every message that is described, by its full name."""


def describe(message: type[Message], where: Where, **fields: Field) -> Fields:
    """Describe the fields of a message. Raises ValueError for a field that it does not have, and if it is described."""
    kind = message.DESCRIPTOR
    for name in fields:
        if name not in kind.fields_by_name:
            raise ValueError(f"{kind.full_name} has no field {name}")
    if kind.full_name in DESCRIBED:
        raise ValueError(f"{kind.full_name} is described already")
    found = DESCRIBED[kind.full_name] = Fields(message, where, fields)
    return found


def all_described() -> Iterator[Fields]:
    """Every message that is described."""
    return iter(DESCRIBED.values())
