"""Logging: each event is one line on standard error, as text or as JSON (`formatting`).

Fields beside the message are given as `extra`.

    event ── limiting: suppress repeats ── formatting: a line ── writing: a queue, and a thread that writes
"""

# Rule: payloads are never logged.
# Rule: logging never blocks: standard error may be a pipe that is not read.

import logging
import sys
import threading
from time import monotonic
from types import TracebackType
from typing import Any, Final, TextIO

from answerback.logs.formatting import JsonFormatter, TextFormatter
from answerback.logs.limiting import Limiter
from answerback.logs.writing import Writer

FORMATS: Final = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")
FLUSH_SECONDS: Final = 0.5  # seconds to wait at exit until standard error is read

log = logging.getLogger(__name__)


def configure(form: str, level: str, *, stream: TextIO | None = None, **fields: object) -> None:
    """Log everything of `level` and above to `stream` (standard error), replacing any earlier configuration.

    `form` is one of FORMATS, `level` one of LEVELS; `fields` are added to every line. Other output of the interpreter
    on standard error (uncaught exceptions, warnings) is logged too.
    """
    handler = Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(fields) if form == "json" else TextFormatter(fields))
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a failure of standard error cannot be reported anywhere
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def flush() -> None:
    """Wait until all lines are written, for at most FLUSH_SECONDS."""
    for handler in logging.getLogger().handlers:
        handler.flush()


class Handler(logging.Handler):
    """Formats and queues events, except those that repeat too often."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._limiter = Limiter()
        self._writer = Writer(stream, self._due, self._dropped)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line of an event."""
        if self._limiter.admits(record, monotonic()):
            self._writer.put(self.format(record))

    def flush(self) -> None:
        """Wait until all lines are written, for at most FLUSH_SECONDS."""
        self._writer.flush(FLUSH_SECONDS)

    def close(self) -> None:
        """Write the remaining lines, and summaries of suppressed ones."""
        for record in self._limiter.summaries(None):
            self._writer.put(self.format(record))
        self._writer.close(FLUSH_SECONDS)
        super().close()

    def _due(self) -> tuple[list[str], float | None]:
        """Return the summaries that are due, and the seconds until the next ones."""
        now = monotonic()
        lines = [self.format(record) for record in self._limiter.summaries(now)]
        due = self._limiter.due()
        return lines, None if due is None else max(0.0, due - now)

    def _dropped(self, lines: int) -> str:
        text = f"{lines} lines were dropped here: standard error was not read fast enough"
        values = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "msg": text, "dropped": lines}
        return self.format(logging.makeLogRecord(values))


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        log.critical("uncaught exception", exc_info=(kind, error, traceback))


def _uncaught_in_thread(arguments: Any) -> None:
    if arguments.exc_value is not None:
        _uncaught(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
