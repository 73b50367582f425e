"""Points in time in text."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from answerback.language import timestamps


@pytest.mark.parametrize(
    "text, canonical",
    [
        ("2026-11-29T06:00:00Z", "2026-11-29T06:00:00Z"),
        ("2026-11-29T07:00:00+01:00", "2026-11-29T06:00:00Z"),
        ("2026-11-29T06:00:00.5Z", "2026-11-29T06:00:00.500Z"),
        ("2026-11-29T06:00:00.000000001Z", "2026-11-29T06:00:00.000000001Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_time_is_read_and_written_in_utc(text: str, canonical: str) -> None:
    found = timestamps.parse(text)
    assert timestamps.written(found) == canonical
    assert timestamps.parse(canonical) == found
    assert timestamps.valid(found)


@pytest.mark.parametrize(
    "text, message",
    [
        ("tomorrow", "a time is written like"),
        ("2026-11-29", "a time is written like"),
        ("2026-11-29T06:00:00", "a time is written like"),
        ("2026-11-29 06:00:00Z", "a time is written like"),
        ("2026-02-30T06:00:00Z", "there is no such time"),
        ("2026-11-29T25:00:00Z", "there is no such time"),
        ("0000-01-01T00:00:00Z", "there is no such time"),
        ("", "a time is written like"),
    ],
)
def test_text_that_is_no_time_is_rejected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        timestamps.parse(text)


@pytest.mark.parametrize(
    "seconds, nanos, valid",
    [
        (timestamps.MIN_SECONDS, 0, True),
        (timestamps.MIN_SECONDS - 1, 0, False),
        (timestamps.MAX_SECONDS, 10**9 - 1, True),
        (timestamps.MAX_SECONDS + 1, 0, False),
        (0, -1, False),
        (0, 10**9, False),
    ],
)
def test_time_is_valid_in_the_years_1_to_9999(seconds: int, nanos: int, *, valid: bool) -> None:
    assert timestamps.valid(Timestamp(seconds=seconds, nanos=nanos)) is valid


def test_nanoseconds_are_counted_from_1970() -> None:
    assert timestamps.nanoseconds(timestamps.parse("1970-01-01T00:00:01.000000005Z")) == 10**9 + 5
