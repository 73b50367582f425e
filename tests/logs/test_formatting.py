"""One line for each event, whatever it contains."""

import json

import pytest

from answerback import logs
from tests.logs.conftest import Configure, Written

HOSTILE = "a\nINFO forged: \x1b[2J\x7f\x85\u2028\u202e\udc80é"


def test_text_log_line_has_time_level_message_and_fields(stream: Written, configure: Configure) -> None:
    log = configure("text", worker=1)
    log.warning("worker %s", "died", extra={"status": -9, "why": "out of memory"})
    time, rest = stream.text().split(" ", 1)
    assert len(time) == len("2026-01-31T12:00:00.123Z")
    assert time.endswith("Z")
    assert rest == 'WARNING somewhere: worker died worker=1 status=-9 why="out of memory"\n'


def test_json_log_line_has_all_fields(stream: Written, configure: Configure) -> None:
    log = configure("json", worker=1)
    log.warning("worker %s", "died", extra={"status": -9})
    event = json.loads(stream.text())
    assert event.pop("time").endswith("Z")
    assert event == {
        "worker": 1,
        "status": -9,
        "level": "WARNING",
        "logger": "somewhere",
        "message": "worker died",
    }


@pytest.mark.parametrize("form", logs.FORMATS)
def test_log_line_with_unprintable_characters_is_escaped(stream: Written, configure: Configure, form: str) -> None:
    log = configure(form)
    log.info("peer said %s", HOSTILE, extra={"field": HOSTILE})
    line, nothing = stream.text().split("\n")
    assert (line.isprintable(), nothing) == (True, "")


def test_json_log_line_with_hostile_text_loads_as_the_same(stream: Written, configure: Configure) -> None:
    configure("json").info("peer said %s", HOSTILE)
    assert json.loads(stream.text())["message"] == f"peer said {HOSTILE}"


@pytest.mark.parametrize("form", logs.FORMATS)
def test_traceback_is_logged_within_its_line(stream: Written, configure: Configure, form: str) -> None:
    log = configure(form)
    try:
        int(HOSTILE)
    except ValueError:
        log.exception("session failed")
    (line,) = stream.lines()
    assert "Traceback" in line
    assert "test_formatting.py" in line


def test_event_with_wrong_arguments_is_logged_unformatted(stream: Written, configure: Configure) -> None:
    configure("text").info("%d of %d", "one")
    assert "%d of %d ('one',)" in stream.text()
