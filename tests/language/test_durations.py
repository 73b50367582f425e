import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from answerback.language import durations

READ = {
    "300ms": 300_000_000,
    "1.5s": 1_500_000_000,
    "5m": 300 * 10**9,
    "1h": 3600 * 10**9,
    "1m30s": 90 * 10**9,
    "1h2m3s4ms5us6ns": 3723_004_005_006,
    "0": 0,
    "0s": 0,
    "-1s": -(10**9),
    "-0.5s": -500_000_000,
    "0.000000001s": 1,
    "90m": 5400 * 10**9,
    "300s": 300 * 10**9,
}


@pytest.mark.parametrize("text, nanoseconds", READ.items())
def test_duration_text_is_parsed_to_nanoseconds(text: str, nanoseconds: int) -> None:
    assert durations.nanoseconds(durations.parse(text)) == nanoseconds


REFUSED = {
    "": "a duration is written like 300ms, 1.5s, 5m, 1m30s or 1h",
    "5": "a duration needs a unit: 5s, 5ms",
    "1.5": "a duration needs a unit: 1.5s, 1.5ms",
    "soon": "a duration is written like 300ms, 1.5s, 5m, 1m30s or 1h",
    "5 s": "a duration is written like 300ms, 1.5s, 5m, 1m30s or 1h",
    "5d": "a duration is written like 300ms, 1.5s, 5m, 1m30s or 1h",
    "1s1m": "the units of a duration go from the largest to the smallest, each once: 1h30m, 1m30s",
    "1s1s": "the units of a duration go from the largest to the smallest, each once: 1h30m, 1m30s",
    "0.5ns": "finer than a nanosecond",
    "999999999999h": "too long for a duration",
    "9" * 400 + "s": "a duration is written like 300ms, 1.5s, 5m, 1m30s or 1h",
    "٣s": "a duration is written like 300ms, 1.5s, 5m, 1m30s or 1h",
}


@pytest.mark.parametrize("text, why", REFUSED.items())
def test_invalid_duration_text_is_rejected(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        durations.parse(text)
    assert str(caught.value) == why


WRITTEN = {
    "300ms": "300ms",
    "1.5s": "1.5s",
    "90s": "1m30s",
    "300s": "5m",
    "0s": "0",
    "-90s": "-1m30s",
    "1001us": "1.001ms",
}


@pytest.mark.parametrize("text, written", WRITTEN.items())
def test_duration_is_written_in_its_shortest_form(text: str, written: str) -> None:
    assert durations.written(durations.parse(text)) == written


@given(st.integers(-315_576_000_000, 315_576_000_000), st.integers(0, 10**9 - 1))
def test_written_duration_is_parsed_to_the_same(seconds: int, nanos: int) -> None:
    given_duration = Duration(seconds=seconds, nanos=nanos if seconds >= 0 else -nanos)
    if abs(durations.nanoseconds(given_duration)) <= 315_576_000_000 * 10**9:
        assert durations.parse(durations.written(given_duration)) == given_duration


def test_duration_is_converted_to_seconds() -> None:
    assert durations.seconds(Duration(seconds=1, nanos=500_000_000)) == 1.5
