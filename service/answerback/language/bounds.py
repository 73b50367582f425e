"""The bounds of the numbers of a configuration: sizes, counts and durations."""

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration

from answerback.language import durations
from answerback.language.problems import Problems

# Rule: a bound says what it is; a message says the whole range.

MAX_READ_BYTES = 1 << 20
MAX_REQUEST_BYTES = 64 << 20  # a connection holds its request in memory
MAX_DELAY = 3600  # seconds: a reply that takes longer is a mistake of units
MAX_TIMEOUT = 8760 * 3600  # seconds, a year: timers of every event loop take it

_NANOS = 10**9


def enum(kind: EnumDescriptor, given: int, path: str, problems: Problems) -> None:
    """A value of an enum: through the API it may be any number."""
    if given not in kind.values_by_number:
        problems.add(path, f"there is no value {given}; known: {', '.join(value.name for value in kind.values[1:])}")


def duration(given: Duration, most: int, path: str, problems: Problems, *, negative: bool = False) -> None:
    """A duration, 0 to `most` seconds, or as far below 0."""
    if abs(given.nanos) >= _NANOS or (given.seconds > 0 > given.nanos) or (given.seconds < 0 < given.nanos):
        problems.add(path, "no duration: nanos are less than a second, and have the sign of seconds")
    elif not (-most * _NANOS if negative else 0) <= durations.nanoseconds(given) <= most * _NANOS:
        limit = durations.written(Duration(seconds=most))
        problems.add(path, f"must be {f'-{limit}' if negative else 0} to {limit}, not {durations.written(given)}")


def between(given: int, least: int, most: int, path: str, problems: Problems) -> None:
    """A number within its range."""
    if not least <= given <= most:
        problems.add(path, f"must be {least} to {most}, not {given}")
