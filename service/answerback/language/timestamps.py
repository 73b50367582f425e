"""Points in time as people write them: `2026-11-29T06:00:00Z`, `2026-11-29T07:00:00.5+01:00` (RFC 3339)."""

import re

from google.protobuf.timestamp_pb2 import Timestamp

# Rule: `parse` reads back what `written` returns to the same.

MIN_SECONDS = -62_135_596_800  # google.protobuf.Timestamp: 0001-01-01T00:00:00Z
MAX_SECONDS = 253_402_300_799  # 9999-12-31T23:59:59Z
_FORM = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})")


def parse(text: str) -> Timestamp:
    """A point in time; raises ValueError, whose text says what is wrong."""
    found = Timestamp()
    if _FORM.fullmatch(text):
        try:
            found.FromJsonString(text)
        except ValueError:
            raise ValueError("there is no such time") from None
        return found
    raise ValueError("a time is written like 2026-11-29T06:00:00Z or 2026-11-29T07:00:00+01:00")


def written(time: Timestamp) -> str:
    """The way to write it, in UTC; for times that `valid` accepts."""
    return str(time.ToJsonString())


def valid(time: Timestamp) -> bool:
    """Whether it is a time of the years 1 to 9999, as protobuf requires."""
    return MIN_SECONDS <= time.seconds <= MAX_SECONDS and 0 <= time.nanos < 10**9


def nanoseconds(time: Timestamp) -> int:
    """The nanoseconds since 1970."""
    return int(time.seconds) * 10**9 + int(time.nanos)
