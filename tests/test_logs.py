"""Logging: one line an event, whatever is in it."""

import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest

from answerback import logs

HOSTILE = "a\nINFO forged: \x1b[2J\x7f\x85\u2028\u202e\udc80é"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged, with the logging of everyone else put back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook, threading.excepthook
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level, logging.raiseExceptions, sys.excepthook, threading.excepthook = before


def configure(stream: io.StringIO, form: str, level: str = "info", **fields: object) -> logging.Logger:
    logs.configure(form, level, stream=stream, **fields)
    return logging.getLogger("answerback.somewhere")


def test_text(stream: io.StringIO) -> None:
    log = configure(stream, "text", worker=1)
    log.warning("worker %s", "died", extra={"status": -9, "why": "out of memory"})
    time, rest = stream.getvalue().split(" ", 1)
    assert len(time) == len("2026-01-31T12:00:00.123Z")
    assert time.endswith("Z")
    assert rest == 'WARNING somewhere: worker died worker=1 status=-9 why="out of memory"\n'


def test_json(stream: io.StringIO) -> None:
    log = configure(stream, "json", worker=1)
    log.warning("worker %s", "died", extra={"status": -9})
    event = json.loads(stream.getvalue())
    assert event.pop("time").endswith("Z")
    assert event == {
        "worker": 1,
        "status": -9,
        "level": "WARNING",
        "logger": "somewhere",
        "message": "worker died",
    }


@pytest.mark.parametrize("form", logs.FORMATS)
def test_what_does_not_print_is_escaped(stream: io.StringIO, form: str) -> None:
    log = configure(stream, form)
    log.info("peer said %s", HOSTILE, extra={"field": HOSTILE})
    line, nothing = stream.getvalue().split("\n")
    assert (line.isprintable(), nothing) == (True, "")


def test_json_keeps_what_it_escapes(stream: io.StringIO) -> None:
    configure(stream, "json").info("peer said %s", HOSTILE)
    assert json.loads(stream.getvalue())["message"] == f"peer said {HOSTILE}"


@pytest.mark.parametrize("form", logs.FORMATS)
def test_a_traceback_is_part_of_its_line(stream: io.StringIO, form: str) -> None:
    log = configure(stream, form)
    try:
        int(HOSTILE)
    except ValueError:
        log.exception("session failed")
    (line,) = stream.getvalue().splitlines()
    assert "Traceback" in line
    assert "test_logs.py" in line


@pytest.mark.parametrize("level, logged", [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_level(stream: io.StringIO, level: str, logged: int) -> None:
    log = configure(stream, "text", level)
    for each in logs.LEVELS:
        getattr(log, each)("event")
    assert len(stream.getvalue().splitlines()) == logged


def test_arguments_that_do_not_fit_cost_no_event(stream: io.StringIO) -> None:
    configure(stream, "text").info("%d of %d", "one")
    assert "%d of %d ('one',)" in stream.getvalue()


def test_configuring_again_does_not_log_twice(stream: io.StringIO) -> None:
    configure(stream, "text")
    configure(stream, "text").info("event")
    assert len(stream.getvalue().splitlines()) == 1


def test_a_stream_that_is_gone_costs_nothing(stream: io.StringIO) -> None:
    log = configure(stream, "text")
    stream.close()
    log.info("event")


def test_warnings_are_events(stream: io.StringIO) -> None:
    configure(stream, "text")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)  # what catch_warnings restores is what was there before
        logging.captureWarnings(capture=True)
        warnings.warn("something is deprecated", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "py.warnings" in stream.getvalue()
    assert "something is deprecated" in stream.getvalue()


def test_an_exception_in_a_thread_is_an_event(stream: io.StringIO) -> None:
    configure(stream, "text")
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    (line,) = stream.getvalue().splitlines()
    assert "CRITICAL logs: uncaught exception" in line
    assert "ZeroDivisionError" in line


def test_an_uncaught_exception_is_an_event() -> None:
    program = "from answerback import logs; logs.configure('text', 'info'); 1 // 0"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "ZeroDivisionError" in line


def test_logs_need_nothing_but_the_standard_library() -> None:
    program = "import sys; from answerback import logs; print('google' in sys.modules, 'uvloop' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "False False\n"
