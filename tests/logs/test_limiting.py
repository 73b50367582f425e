"""Repeated events are limited and counted."""

import logging

import pytest

from answerback.logs import limiting
from answerback.logs.limiting import BURST, SECONDS, Limiter


def event(text: str, *args: object, level: int = logging.ERROR, name: str = "answerback.a") -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, text, args, None)


def failure(number: int) -> logging.LogRecord:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        int(f"no number {number}")
    info = raised.type, raised.value, raised.tb
    return logging.LogRecord("a", logging.ERROR, __file__, 1, "error %d", (number,), info)


def admitted(limiter: Limiter, records: list[logging.LogRecord], now: float = 0.0) -> int:
    return sum(limiter.admits(record, now) for record in records)


def test_repeated_log_event_past_burst_is_summarised() -> None:
    limiter = Limiter()
    assert admitted(limiter, [event("no room for %s", "it")] * 537) == BURST
    assert limiter.due() == SECONDS
    assert list(limiter.summaries(SECONDS - 0.1)) == []
    (summary,) = limiter.summaries(SECONDS)
    assert summary.getMessage() == "no room for it … 532 more like this in 10 s"
    assert (summary.name, summary.levelname, vars(summary)["repeated"]) == ("answerback.a", "ERROR", 532)
    assert limiter.due() is None
    assert admitted(limiter, [event("no room for %s", "it")] * 10, SECONDS) == BURST


def test_events_within_the_burst_have_no_summary() -> None:
    limiter = Limiter()
    assert admitted(limiter, [event("once")] * BURST) == BURST
    assert list(limiter.summaries(SECONDS)) == []


@pytest.mark.parametrize(
    "other", [event("no room for %s", "her"), event("it", name="b"), event("it", level=logging.WARNING)]
)
def test_log_events_that_differ_are_limited_separately(other: logging.LogRecord) -> None:
    limiter = Limiter()
    assert admitted(limiter, [event("it")] * 10) == BURST
    assert admitted(limiter, [other] * 10) == BURST
    assert [vars(summary)["repeated"] for summary in limiter.summaries(None)] == [5, 5]


def test_exceptions_raised_at_one_place_share_a_limit() -> None:
    assert admitted(Limiter(), [failure(number) for number in range(10)]) == BURST


def test_log_event_at_info_is_never_limited() -> None:
    assert admitted(Limiter(), [event("revision 2 is active", level=logging.INFO)] * 50) == 50


def test_log_limiter_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "MOST", 3)
    limiter = Limiter()
    assert admitted(limiter, [event(f"text {number}") for number in range(9)] * 10) == 3 * BURST + 6 * 10
