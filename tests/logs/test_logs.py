"""Logging of a process."""

import json
import logging
import subprocess
import sys
import threading
import warnings

import pytest

from answerback import logs
from tests.logs.conftest import Configure, Written
from tests.waiting import eventually


@pytest.mark.parametrize("level, logged", [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_log_level_selects_events(stream: Written, configure: Configure, level: str, logged: int) -> None:
    log = configure("text", level)
    for each in logs.LEVELS:
        getattr(log, each)("event")
    assert len(stream.lines()) == logged


def test_logging_configured_twice_logs_each_event_once(stream: Written, configure: Configure) -> None:
    configure("text")
    configure("text").info("event")
    assert len(stream.lines()) == 1


def test_logging_to_a_closed_stream_raises_nothing(stream: Written, configure: Configure) -> None:
    log = configure("text")
    stream.close()
    log.info("event")


def test_python_warnings_are_logged(stream: Written, configure: Configure) -> None:
    configure("text")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)  # what catch_warnings restores is what was there before
        logging.captureWarnings(capture=True)
        warnings.warn("something is deprecated", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "py.warnings" in stream.text()
    assert "something is deprecated" in stream.text()


def test_uncaught_exception_in_a_thread_is_logged_in_one_line(stream: Written, configure: Configure) -> None:
    configure("text")
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    (line,) = stream.lines()
    assert "CRITICAL logs: uncaught exception" in line
    assert "ZeroDivisionError" in line


def test_uncaught_exception_is_logged_in_one_line() -> None:
    program = "from answerback import logs; logs.configure('text', 'info'); 1 // 0"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "ZeroDivisionError" in line


def test_logs_import_only_the_standard_library() -> None:
    program = "import sys; from answerback import logs; print('google' in sys.modules, 'uvloop' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "False False\n"


def test_repeated_log_event_is_summarised_at_close(stream: Written, configure: Configure) -> None:
    log = configure("text")
    for _ in range(537):
        log.error("no room", extra={"slot": 1})
    assert len(stream.lines()) == 5
    (handler,) = logging.getLogger().handlers
    handler.close()
    assert stream.lines()[5].endswith("ERROR somewhere: no room … 532 more like this in 10 s repeated=532")


def test_repeated_log_event_is_summarised_after_its_period(
    stream: Written, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerback.logs.limiting.SECONDS", 0.01)
    log = configure("text")
    for _ in range(1000):
        log.error("no room")
    eventually(lambda: "more like this" in stream.text(), what="a summary that nothing else sets off")


FLOOD = """
import logging, os
from answerback import logs
logs.configure("json", "info")
for number in range(30_000):
    logging.getLogger("answerback.somewhere").info("line %d, %s", number, "x" * 100)
os.write(1, b"all logged\\n")
"""


def test_unread_standard_error_never_blocks_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", FLOOD], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"all logged\n"
        assert process.wait(20) == 0  # nor does its end
        lines = [json.loads(line) for line in process.stderr.read().splitlines() if line.endswith(b"}")]
    assert 100 < len(lines) < 30_000
    assert [line["message"].partition(",")[0] for line in lines[:2]] == ["line 0", "line 1"]
