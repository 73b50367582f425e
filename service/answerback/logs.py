"""Logging: each event one line on standard error, as text or as JSON.

    2026-01-31T12:00:00.123Z WARNING supervisor.slot: worker died status=-9 worker=0
    {"time": "2026-01-31T12:00:00.123Z", "level": "WARNING", "logger": "supervisor.slot", "message": "worker died", …}

What an event carries beside its message is given as `extra`.
"""

# Rule: one event, one line: what does not print is escaped, tracebacks too, so that nothing a peer sends can forge a
#       line or steer a terminal.
# Rule: no payload is logged.

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TextIO

FORMATS: Final = ("text", "json")
LEVELS: Final = ("debug", "info", "warning", "error")

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_OURS: Final = "answerback."

log = logging.getLogger(__name__)


def configure(form: str, level: str, *, stream: TextIO | None = None, **fields: object) -> None:
    """Log everything of `level` and above to `stream` (standard error), in place of whatever was configured before.

    `form` is one of FORMATS, `level` one of LEVELS; `fields` go into every line. What would otherwise be written to
    standard error by the interpreter (uncaught exceptions, warnings) becomes an event too.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter(fields) if form == "json" else TextFormatter(fields))
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # nobody is left to tell that standard error is gone
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


class TextFormatter(logging.Formatter):
    """For people."""

    def __init__(self, fields: dict[str, object]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """`TIME LEVEL LOGGER: MESSAGE FIELD=VALUE …`."""
        parts = [f"{_time(record)} {record.levelname} {_name(record)}: {_message(record)}"]
        parts += [f"{name}={_word(value)}" for name, value in (self._fields | _extra(record)).items()]
        if record.exc_info:
            parts.append("| " + self.formatException(record.exc_info))
        return printable(" ".join(parts))


class JsonFormatter(logging.Formatter):
    """For programs: an object a line, every value a string, number, boolean or null."""

    def __init__(self, fields: dict[str, object]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """The event as an object."""
        event = self._fields | _extra(record)
        event |= {"time": _time(record), "level": record.levelname, "logger": _name(record)}
        event["message"] = _message(record)
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str).replace("\x7f", "\\u007f")


def printable(text: str) -> str:
    """The text, with everything that does not print (controls, line separators, lone surrogates) escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def _name(record: logging.LogRecord) -> str:
    return record.name.removeprefix(_OURS)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit must not cost the event
        return f"{record.msg} {record.args!r}"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def _word(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        log.critical("uncaught exception", exc_info=(kind, error, traceback))


def _uncaught_in_thread(arguments: Any) -> None:
    if arguments.exc_value is not None:
        _uncaught(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
