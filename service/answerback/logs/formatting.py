"""Events to lines, as text for people or as JSON for programs.

2026-01-31T12:00:00.123Z WARNING supervisor.slot: worker died status=-9 worker=0
{"time": "2026-01-31T12:00:00.123Z", "level": "WARNING", "logger": "supervisor.slot", "message": "worker died", …}
"""

# Rule: one event, one line: unprintable characters are escaped, also in tracebacks, so that no peer can forge a line or
#       control a terminal.

import json
import logging
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_OURS: Final = "answerback."


class TextFormatter(logging.Formatter):
    """Formats events as text for people."""

    def __init__(self, fields: dict[str, object]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """`TIME LEVEL LOGGER: MESSAGE FIELD=VALUE …`."""
        parts = [f"{_time(record)} {record.levelname} {_name(record)}: {message(record)}"]
        parts += [f"{name}={_word(value)}" for name, value in (self._fields | _extra(record)).items()]
        if record.exc_info:
            parts.append("| " + self.formatException(record.exc_info))
        return printable(" ".join(parts))


class JsonFormatter(logging.Formatter):
    """Formats events as JSON: one object per line, each value a string, number, boolean or null."""

    def __init__(self, fields: dict[str, object]) -> None:
        super().__init__()
        self._fields = fields

    def format(self, record: logging.LogRecord) -> str:
        """The event as an object."""
        event = self._fields | _extra(record)
        event |= {"time": _time(record), "level": record.levelname, "logger": _name(record)}
        event["message"] = message(record)
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, default=str).replace("\x7f", "\\u007f")


def printable(text: str) -> str:
    """Escape everything unprintable: control characters, line separators, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def _name(record: logging.LogRecord) -> str:
    return record.name.removeprefix(_OURS)


def message(record: logging.LogRecord) -> str:
    """Return the record's message, whatever its arguments are."""
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit must not cost the event
        return f"{record.msg} {record.args!r}"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def _word(value: object) -> str:
    text = str(value)
    return text if text and not set(text) & set(' "=') else json.dumps(text, ensure_ascii=False)
